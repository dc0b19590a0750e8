// Content-MD5 of a blob, made by workers of their own, a bit at a time: the page stays quick and
// memory small however large the blob is.

import { MD5 } from "./md5.js";

const STEP = 1 << 20;
const WORKERS = 2;

const inWorker = typeof WorkerGlobalScope !== "undefined";

if (inWorker) {
  self.addEventListener("message", async ({ data: { number, blob } }) => {
    try {
      self.postMessage({ number, digest: await digestOf(blob) });
    } catch (error) {
      self.postMessage({ number, problem: String(error) });
    }
  });
}

async function digestOf(blob) {
  const md5 = new MD5();
  for (let start = 0; start < blob.size; start += STEP) {
    const piece = blob.slice(start, start + STEP);
    md5.update(new Uint8Array(await piece.arrayBuffer()));
  }
  return md5.digest();
}

const workers = [];
const waiting = new Map();
let count = 0;

// The digest as the bytes of base64. Throws when the file cannot be read (any more).
export function contentMD5(blob) {
  const number = count++;
  const place = number % WORKERS;
  workers[place] ??= start();
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    workers[place].postMessage({ number, blob });
  });
}

function start() {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.addEventListener("message", ({ data: { number, digest, problem } }) => {
    const { resolve, reject } = waiting.get(number);
    waiting.delete(number);
    if (problem) reject(new Error(problem));
    else resolve(digest);
  });
  return worker;
}

export const base64 = (digest) => btoa(String.fromCharCode(...digest));
export const hex = (digest) => [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
