// The card with which files are uploaded into a folder: choosing, dropping, progress, decisions.

import { call } from "./neve.js";
import { chosen, dropped, typeOf } from "./upload-files.js";
import { Queue } from "./upload-queue.js";

const KEY_BYTES_MAX = 1024;
const SHOWN_MAX = 50;
const TICK_MS = 300;
const SOON_MS = 50;
const ALIVE_MS = 5 * 60_000;
const LANGUAGE = document.documentElement.lang;
const UNITS = LANGUAGE === "fr" ? ["o", "Kio", "Mio", "Gio", "Tio"] : ["B", "KiB", "MiB", "GiB", "TiB"];

const card = document.querySelector("#upload");
if (card) begin(card);

function begin(card) {
  const part = (name) => card.querySelector(`[data-${name}]`);
  const text = (name, values = {}) =>
    card.dataset[`text${name}`].replace(/%\((\w+)\)s/g, (_, key) => values[key]);
  const { bucket, prefix } = card.dataset;
  let said = "";
  let begun = false;

  function fresh() {
    return new Queue(bucket, call, soon);
  }

  // Thousands of small files end in a second; the page need not show each of them.
  let due = 0;
  function soon() {
    due ||= setTimeout(() => {
      due = 0;
      show();
    }, SOON_MS);
  }

  let queue = fresh();

  for (const element of card.querySelectorAll(".upload-plain")) element.remove();
  for (const kind of ["files", "folder"]) {
    const button = part(`choose="${kind}"`);
    const input = part(`input="${kind}"`);
    button.hidden = false;
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      take(chosen(input));
      input.value = "";
    });
  }
  part("hint").hidden = false;

  // Dropping: anywhere on the page, or a file dropped beside the card would be opened.
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    card.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) card.classList.remove("over");
  });
  addEventListener("drop", async (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    card.classList.remove("over");
    take(await dropped(event.dataTransfer));
  });

  function take(files) {
    part("panel").hidden = false;
    if (!open() && !queue.with("exists").length) queue.existing = ""; // said of the files before
    if (!files.length && !begun) said = text("Nothing");
    for (const { path, file } of files) {
      const key = prefix + path;
      const item = queue.add(key, file, typeOf(file));
      if (new TextEncoder().encode(key).length > KEY_BYTES_MAX) queue.refuse(item, "TooLong");
    }
    if (files.length) {
      said = "";
      begun = true;
      queue.start();
    }
    show();
  }

  const doing = {
    pause: () => queue.pause(),
    resume: async () => {
      await renew();
      queue.resume();
    },
    retry: () => {
      said = "";
      queue.retry();
    },
    skip: () => queue.decide("skip"),
    overwrite: () => queue.decide("overwrite"),
    cancel: async () => {
      said = text("Cancelled");
      await queue.cancel();
    },
    close: () => {
      queue = fresh();
      begun = false;
      refreshed = 0;
      part("panel").hidden = true;
    },
  };
  for (const [name, act] of Object.entries(doing)) part(`do="${name}"`).addEventListener("click", act);

  const open = () => queue.busy || queue.with("waiting").length > 0;
  addEventListener("beforeunload", (event) => {
    if (open()) event.preventDefault();
  });
  addEventListener("pagehide", () => {
    const left = queue.unfinished();
    if (!left.length) return;
    const form = new FormData();
    form.append("csrf", document.querySelector("meta[name=csrf]").content);
    form.append("bucket", bucket);
    for (const { key, upload } of left) {
      form.append("key", key);
      form.append("upload", upload);
    }
    navigator.sendBeacon("/upload/abort", form);
  });

  setInterval(() => {
    if (open()) show();
  }, TICK_MS);

  // Minutes may pass between two questions to the panel; nothing to abort, but the session is used.
  setInterval(() => {
    if (open() && !queue.paused) call("/upload/abort", { bucket }).catch(() => {});
  }, ALIVE_MS);

  function show() {
    const totals = queue.totals();
    const failed = queue.with("failed");
    const exists = queue.with("exists");
    const ended = begun && !open() && !exists.length;
    const rate = open() && !queue.paused ? totals.rate : 0;
    card.querySelector("progress").value = totals.bytes ? totals.bytesDone / totals.bytes : ended ? 1 : 0;
    part("numbers").textContent = begun ? text("Progress", {
      done: number(totals.filesDone), all: number(totals.files),
      sent: size(totals.bytesDone), size: size(totals.bytes),
    }) : "";
    part("rate").textContent = rate ? text("Rate", {
      rate: size(rate), left: duration((totals.bytes - totals.bytesDone) / rate),
    }) : "";
    say(statusOf(ended, failed));
    part('do="pause"').hidden = !open() || queue.paused;
    part('do="resume"').hidden = !queue.paused;
    part('do="retry"').hidden = !failed.length || queue.paused;
    part('do="cancel"').hidden = !open() && !exists.length;
    part('do="close"').hidden = !ended;
    list(part("conflicts"), exists, (item) => item.key.slice(prefix.length));
    list(part("failed"), failed, (item) => `${item.key.slice(prefix.length)}: ${problemOf(item)}`);
    showSending(queue.with("sending"));
    if (ended && totals.filesDone) refresh(totals.filesDone);
  }

  function statusOf(ended, failed) {
    if (ended && failed.length) return text("SomeFailed");
    if (ended) return said || text("Done");
    if (queue.paused) return queue.trouble || (queue.unreachable ? text("GaveUp") : text("Paused"));
    if (queue.unreachable) return text("Trouble");
    return said;
  }

  // A live region is only touched when it says something else.
  function say(words) {
    if (part("status").textContent !== words) part("status").textContent = words;
  }

  function problemOf(item) {
    if (item.code === "AccessDenied") return text("Denied");
    if (item.code === "XMinioAdminBucketQuotaExceeded") return text("Quota");
    return { Unreadable: text("Unreadable"), TooLong: text("TooLong") }[item.code] ?? item.problem;
  }

  function list(box, items, line) {
    box.hidden = !items.length;
    const lines = items.slice(0, SHOWN_MAX).map(line);
    const more = items.length - lines.length;
    if (more > 0) lines.push(text("More", { count: number(more) }));
    const target = box.querySelector("ul");
    const joined = lines.join("\n");
    if (target.dataset.lines === joined) return;
    target.dataset.lines = joined;
    target.replaceChildren(...lines.map((words) => {
      const element = document.createElement("li");
      element.textContent = words;
      return element;
    }));
  }

  function showSending(items) {
    const target = part("sending");
    while (target.children.length > items.length) target.lastChild.remove();
    while (target.children.length < items.length) {
      const line = document.createElement("li");
      line.append(document.createElement("span"), document.createElement("progress"));
      target.append(line);
    }
    items.forEach((item, i) => {
      const [name, bar] = target.children[i].children;
      name.textContent = item.key.slice(prefix.length);
      bar.max = item.size || 1;
      bar.value = item.bytes;
      bar.setAttribute("aria-label", name.textContent);
    });
  }

  // The listing of the page as it is now, once after each end.
  let refreshed = 0;
  async function refresh(done) {
    if (refreshed === done) return;
    refreshed = done;
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [now, then] = [document, page].map((each) => each.querySelector("#listing"));
    if (now && then) {
      now.replaceWith(document.adoptNode(then));
      document.dispatchEvent(new CustomEvent("listing"));
    }
  }
}

// The token of the session, which is another when one had to log in again in another tab.
async function renew() {
  const name = "meta[name=csrf]";
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = page.querySelector(name)?.content;
  if (token) document.querySelector(name).content = token;
}

function number(value) {
  return new Intl.NumberFormat(LANGUAGE).format(value);
}

function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit ? 1 : 0;
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return `${new Intl.NumberFormat(LANGUAGE, format).format(value)} ${UNITS[unit]}`;
}

function duration(seconds) {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole % 60} s`;
}
