// The files of an upload and what has become of each. No part of the page: `upload.js` shows it.
//
// A file up to 16 MiB goes with one PUT, a larger one in parts, each straight to S3 with its
// Content-MD5, over addresses that the panel signs. Nothing that exists is overwritten unasked:
// every write says If-None-Match until the user decides.

import { base64, contentMD5, hex } from "./upload-digest.js";
import { Gate, put, Stopped, Trouble } from "./upload-send.js";

const MIB = 1 << 20;
export const PART = 16 * MIB;
const PARTS_MAX = 10_000;
const AT_ONCE = 4;
const SIGNED_AT_ONCE = 50;
const SIGNED_FOR_MS = 30 * 60_000;
const SPAN_MS = 10_000;

export const OPEN = ["waiting", "sending"];

class Item {
  state = "waiting"; // sending, done, exists, skipped, failed, cancelled
  problem = "";
  code = ""; // of the problem
  overwrite = false;
  upload = "";
  url = "";
  signed = 0;
  taken = ""; // the ETag of what is there under the key
  sent = new Map(); // bytes, by the number of the part
  etags = new Map();
  cancelled = new AbortController();

  constructor(key, file, type) {
    Object.assign(this, { key, file, type, size: file.size });
  }

  get bytes() {
    if (this.state === "done") return this.size;
    let sum = 0;
    for (const bytes of this.sent.values()) sum += bytes;
    return sum;
  }
}

export class Queue {
  items = [];
  existing = ""; // "overwrite" or "skip", once the user has said it for all
  #gate = new Gate(AT_ONCE);
  #next = 0;
  #running = 0;
  #signing = Promise.resolve();
  #marks = []; // [time, bytes] of the last seconds
  #again = [];

  // `call` asks the panel; `changed` is called when a file's state is another.
  constructor(bucket, call, changed) {
    Object.assign(this, { bucket, call, changed });
  }

  add(key, file, type) {
    const item = new Item(key, file, type);
    this.items.push(item);
    return item;
  }

  // Not even try.
  refuse(item, code) {
    Object.assign(item, { state: "failed", code });
  }

  get paused() {
    return this.#gate.closed;
  }

  // Why it has paused of itself.
  get trouble() {
    return this.#gate.trouble;
  }

  get unreachable() {
    return this.#gate.failures > 0;
  }

  get busy() {
    return this.#running > 0;
  }

  with(state) {
    return this.items.filter((item) => item.state === state);
  }

  // Numbers for a progress bar: files and bytes, all and done, bytes per second.
  totals() {
    const wanted = this.items.filter((item) => !["skipped", "cancelled"].includes(item.state));
    const found = { files: wanted.length, filesDone: 0, bytes: 0, bytesDone: 0, rate: 0 };
    for (const item of wanted) {
      found.filesDone += item.state === "done" ? 1 : 0;
      found.bytes += item.size;
      found.bytesDone += item.bytes;
    }
    const now = Date.now();
    this.#marks.push([now, found.bytesDone]);
    while (now - this.#marks[0][0] > SPAN_MS) this.#marks.shift();
    const [since, before] = this.#marks[0];
    if (now > since) found.rate = Math.max(0, (found.bytesDone - before) / ((now - since) / 1000));
    return found;
  }

  start() {
    for (let more = Math.min(AT_ONCE - this.#running, this.#left()); more > 0; more--) {
      this.#running++;
      this.#work().finally(() => {
        this.#running--;
        this.changed();
      });
    }
    this.changed();
  }

  pause() {
    this.#gate.close();
    this.changed();
  }

  resume() {
    this.#gate.open();
    this.#marks = [];
    this.start();
  }

  retry() {
    for (const item of this.with("failed")) if (item.code !== "TooLong") this.#queue(item);
    this.resume();
  }

  // What to do with files whose key is taken, now and later: "overwrite" or "skip".
  decide(existing) {
    this.existing = existing;
    for (const item of this.with("exists")) {
      if (existing === "overwrite") this.#queue(item);
      else this.#set(item, "skipped");
    }
    this.start();
  }

  // Stop everything that is not done; resolves when nothing half-sent is left on the server.
  async cancel() {
    const stopped = this.items.filter((item) => [...OPEN, "exists"].includes(item.state));
    for (const item of stopped) {
      item.state = "cancelled";
      item.cancelled.abort();
    }
    this.#gate.wake();
    this.changed();
    await Promise.all(stopped.map((item) => this.#abort(item)));
  }

  // The multipart uploads that are under way, for the page to end when it is left.
  unfinished() {
    return this.items.filter((item) => item.upload).map(({ key, upload }) => ({ key, upload }));
  }

  #left() {
    return this.items.length - this.#next + this.#again.length;
  }

  #queue(item) {
    Object.assign(item, { state: "waiting", problem: "", url: "", cancelled: new AbortController() });
    item.sent.clear();
    item.etags.clear();
    this.#again.push(item);
  }

  #set(item, state, problem = "") {
    Object.assign(item, { state, problem });
    this.changed();
  }

  async #work() {
    for (;;) {
      const item = this.#again.shift() ?? this.items[this.#next++];
      if (!item) {
        this.#next = this.items.length;
        return;
      }
      if (item.state !== "waiting") continue;
      item.overwrite = this.existing === "overwrite";
      this.#set(item, "sending");
      try {
        await (item.size > PART ? this.#large(item) : this.#small(item));
        this.#set(item, "done");
      } catch (error) {
        await this.#failed(item, error);
      }
      item.sent.clear();
    }
  }

  async #failed(item, error) {
    item.cancelled.abort(); // the other parts need not go on
    this.#gate.wake();
    item.code = error.code ?? "";
    if (item.state === "cancelled") this.changed();
    else if (error instanceof Stopped) this.#set(item, "cancelled");
    else if (error.code === "Exists" || error.code === "PreconditionFailed") this.#exists(item);
    else this.#set(item, "failed", error.message);
    await this.#abort(item);
  }

  #exists(item) {
    if (this.existing === "overwrite" && !item.overwrite) this.#queue(item);
    else this.#set(item, this.existing === "skip" ? "skipped" : "exists");
  }

  async #abort(item) {
    const upload = item.upload;
    item.upload = "";
    if (!upload) return;
    const body = { bucket: this.bucket, key: item.key, upload };
    await this.call("/upload/abort", body).catch(() => {});
  }

  async #small(item) {
    const condition = item.overwrite ? {} : { "if-none-match": "*" };
    await this.#gate.run(item.cancelled.signal, async (stop) => {
      await this.#sign(item);
      const digest = await digestOf(item.file);
      const same = () => item.taken === hex(digest);
      if (item.taken && !item.overwrite) {
        if (same()) return; // nothing to send
        throw new Trouble("", { code: "Exists" });
      }
      const headers = { "content-type": item.type, "content-md5": base64(digest), ...condition };
      try {
        await put(item.url, item.file, headers, stop, (sent) => item.sent.set(1, sent));
      } catch (error) {
        if (error.code !== "PreconditionFailed") throw error;
        item.url = "";
        await this.#sign(item); // it may be ours, whose answer was lost
        if (!same()) throw error;
      }
    });
  }

  // Have the panel sign the address of a file, and those of the next ones with it.
  async #sign(item) {
    const turn = this.#signing.catch(() => {});
    this.#signing = turn.then(async () => {
      if (item.url && Date.now() - item.signed < SIGNED_FOR_MS) return;
      const after = this.items.slice(this.#next, this.#next + SIGNED_AT_ONCE - 1);
      const some = [item, ...after.filter((each) => each.state === "waiting" && each.size <= PART)];
      const keys = some.map((each) => each.key);
      const overwrite = this.existing === "overwrite";
      const { urls, taken } = await this.#ask("/upload/sign", { keys, overwrite });
      some.forEach((each, i) => {
        Object.assign(each, { url: urls[i], taken: taken[i], signed: Date.now() });
      });
    });
    await this.#signing;
  }

  async #large(item) {
    const signal = item.cancelled.signal;
    const part = Math.max(PART, Math.ceil(item.size / PARTS_MAX / MIB) * MIB);
    const count = Math.ceil(item.size / part);
    const about = { key: item.key, overwrite: item.overwrite };
    const first = { ...about, type: item.type };
    const begun = await this.#gate.run(signal, () => this.#ask("/upload/begin", first));
    if (begun.exists) throw new Trouble("", { code: "Exists" });
    item.upload = begun.upload;
    if (signal.aborted) throw new Stopped();
    let next = 1;
    const urls = new Map();
    const send = async () => {
      while (next <= count) await this.#part(item, next++, count, part, urls);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, send));
    const etags = Array.from({ length: count }, (_, i) => item.etags.get(i + 1));
    const whole = { ...about, upload: item.upload, etags, size: item.size };
    const ended = await this.#gate.run(signal, () => this.#ask("/upload/complete", whole));
    if (ended.exists) throw new Trouble("", { code: "Exists" });
    item.upload = "";
  }

  async #part(item, number, count, part, urls) {
    const blob = item.file.slice((number - 1) * part, number * part);
    await this.#gate.run(item.cancelled.signal, async (stop) => {
      const url = await this.#partUrl(item, number, count, urls);
      const digest = await digestOf(blob);
      const headers = { "content-md5": base64(digest) };
      await put(url, blob, headers, stop, (sent) => item.sent.set(number, sent));
      item.etags.set(number, hex(digest));
    });
  }

  async #partUrl(item, number, count, urls) {
    const known = urls.get(number);
    if (known && Date.now() - known.signed < SIGNED_FOR_MS) return (await known.url)[known.place];
    const last = Math.min(count, number + SIGNED_AT_ONCE - 1);
    const wanted = { key: item.key, upload: item.upload, first: number, last };
    const url = this.#ask("/upload/parts", wanted).then((found) => found.urls);
    url.catch(() => {
      for (let each = number; each <= last; each++) urls.delete(each);
    });
    for (let each = number; each <= last; each++) {
      urls.set(each, { url, place: each - number, signed: Date.now() });
    }
    return (await url)[0];
  }

  // Ask the panel. An ended session pauses everything: logged in again elsewhere, it goes on.
  async #ask(path, body) {
    try {
      return await this.call(path, { bucket: this.bucket, ...body });
    } catch (error) {
      if (error.status === 401) {
        this.#gate.close(error.message);
        throw new Stopped();
      }
      const again = !error.status || [408, 429, 500, 502, 503, 504].includes(error.status);
      throw new Trouble(error.status ? error.message : "", { again, status: error.status ?? 0 });
    }
  }
}

async function digestOf(blob) {
  try {
    return await contentMD5(blob);
  } catch {
    throw new Trouble("", { code: "Unreadable" });
  }
}
