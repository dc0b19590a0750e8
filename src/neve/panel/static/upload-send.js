// Requests of an upload: a piece of a file straight to S3, and how many of them at once.

// What a request came to nothing for. `again`: the same request may succeed later.
export class Trouble extends Error {
  constructor(message, { code = "", status = 0, again = false } = {}) {
    super(message);
    Object.assign(this, { code, status, again });
  }
}

// It was stopped by us: for a pause or for good.
export class Stopped extends Error {}

const AGAIN = [0, 408, 429, 500, 502, 503, 504];
const AGAIN_CODES = ["RequestTimeout", "SlowDown", "BadDigest", "IncompleteBody"];

// PUT a blob. Resolves to the ETag; throws Trouble, or Stopped when `signal` says so.
export function put(url, blob, headers, signal, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => progress(Math.min(event.loaded, blob.size)));
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", stop);
      if (signal.aborted) reject(new Stopped());
      else if (request.status === 200) {
        progress(blob.size);
        resolve((request.getResponseHeader("etag") ?? "").replaceAll('"', ""));
      } else reject(troubleOf(request));
    });
    if (signal.aborted) {
      reject(new Stopped());
      return;
    }
    signal.addEventListener("abort", stop);
    request.send(blob);
  });
}

function troubleOf(request) {
  const status = request.status;
  const found = new DOMParser().parseFromString(request.responseText || "<x/>", "text/xml");
  const code = found.querySelector("Code")?.textContent ?? "";
  const said = found.querySelector("Message")?.textContent ?? "";
  const again = AGAIN.includes(status) || AGAIN_CODES.includes(code);
  const message = said ? `${said.replace(/[. ]+$/, "")} (${code}).` : status ? `HTTP ${status}` : "";
  return new Trouble(message, { code, status, again });
}

const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 15_000;
const FAILURES_MAX = 12;
const TRIES_MAX = 40;

// Lets a few requests run at once, none while it is closed. After a failure all wait, longer each
// time; after too many in a row it closes, for the user to open it again.
export class Gate {
  #limit;
  #inside = 0;
  #waiting = [];
  failures = 0; // in a row
  #notBefore = 0;
  #stops = new Set();
  closed = false;
  trouble = "";

  constructor(limit) {
    this.#limit = limit;
  }

  // Do something with a signal that tells when to stop; again after every pause and failure.
  async run(cancelled, work) {
    for (let tries = 1; ; tries++) {
      await this.#enter(cancelled);
      const stop = new AbortController();
      const forward = () => stop.abort();
      cancelled.addEventListener("abort", forward);
      this.#stops.add(stop);
      try {
        const found = await work(stop.signal);
        this.failures = 0;
        return found;
      } catch (error) {
        if (cancelled.aborted) throw new Stopped();
        if (tries === TRIES_MAX) throw error;
        if (error instanceof Trouble && error.again) this.#failed();
        else if (!(error instanceof Stopped)) throw error;
      } finally {
        cancelled.removeEventListener("abort", forward);
        this.#stops.delete(stop);
        this.#inside--;
        this.wake();
      }
    }
  }

  close(trouble = "") {
    this.closed = true;
    this.trouble = trouble;
    for (const stop of this.#stops) stop.abort();
  }

  open() {
    this.closed = false;
    this.trouble = "";
    this.failures = 0;
    this.#notBefore = 0;
    this.wake();
  }

  async #enter(cancelled) {
    for (;;) {
      if (cancelled.aborted) throw new Stopped();
      const wait = this.#notBefore - Date.now();
      if (!this.closed && wait <= 0 && this.#inside < this.#limit) break;
      await new Promise((resolve) => {
        this.#waiting.push(resolve);
        if (wait > 0) setTimeout(resolve, wait);
      });
    }
    this.#inside++;
  }

  #failed() {
    const now = Date.now();
    if (now < this.#notBefore) return; // one of several that failed together
    this.failures++;
    if (this.failures >= FAILURES_MAX) this.close();
    const wait = Math.min(BACKOFF_MS * 2 ** (this.failures - 1), BACKOFF_MAX_MS);
    this.#notBefore = now + wait * (0.75 + Math.random() / 2);
  }

  // Have all that wait look again: also whether they were cancelled.
  wake() {
    const woken = this.#waiting;
    this.#waiting = [];
    for (const resolve of woken) resolve();
  }
}
