// MD5 (RFC 1321), fed bit by bit: browsers have none, and S3 checks what it receives by it.

const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
const BLOCK = 64;

export class MD5 {
  #state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  #rest = new Uint8Array(BLOCK);
  #held = 0;
  #length = 0;
  #words = new Int32Array(16);

  update(bytes) {
    this.#length += bytes.length;
    let start = 0;
    if (this.#held) {
      start = Math.min(BLOCK - this.#held, bytes.length);
      this.#rest.set(bytes.subarray(0, start), this.#held);
      this.#held += start;
      if (this.#held < BLOCK) return this;
      this.#blocks(this.#rest, 0, BLOCK);
      this.#held = 0;
    }
    const end = bytes.length - ((bytes.length - start) % BLOCK);
    this.#blocks(bytes, start, end);
    this.#rest.set(bytes.subarray(end));
    this.#held = bytes.length - end;
    return this;
  }

  // The 16 bytes of the digest; the end of the object's use.
  digest() {
    const length = this.#length;
    const padding = new Uint8Array(this.#held < 56 ? 64 - this.#held : 128 - this.#held);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, (length << 3) >>> 0, true);
    view.setUint32(padding.length - 4, Math.floor(length / 2 ** 29), true);
    this.update(padding);
    const found = new DataView(new ArrayBuffer(16));
    this.#state.forEach((word, i) => found.setInt32(4 * i, word, true));
    return new Uint8Array(found.buffer);
  }

  // Four steps at a time, which leave each word of the state where it was: most of the speed.
  #blocks(bytes, start, end) {
    const words = this.#words;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    let [a, b, c, d] = this.#state;
    for (let at = start; at < end; at += BLOCK) {
      for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i, true);
      const a0 = a;
      const b0 = b;
      const c0 = c;
      const d0 = d;
      for (let i = 0; i < 16; i += 4) {
        a = step((a + ((b & c) | (~b & d))) | 0, (SINES[i] + words[i]) | 0, 7, b);
        d = step((d + ((a & b) | (~a & c))) | 0, (SINES[i + 1] + words[i + 1]) | 0, 12, a);
        c = step((c + ((d & a) | (~d & b))) | 0, (SINES[i + 2] + words[i + 2]) | 0, 17, d);
        b = step((b + ((c & d) | (~c & a))) | 0, (SINES[i + 3] + words[i + 3]) | 0, 22, c);
      }
      for (let i = 16; i < 32; i += 4) {
        a = step((a + ((d & b) | (~d & c))) | 0, (SINES[i] + words[(5 * i + 1) & 15]) | 0, 5, b);
        d = step((d + ((c & a) | (~c & b))) | 0, (SINES[i + 1] + words[(5 * i + 6) & 15]) | 0, 9, a);
        c = step((c + ((b & d) | (~b & a))) | 0, (SINES[i + 2] + words[(5 * i + 11) & 15]) | 0, 14, d);
        b = step((b + ((a & c) | (~a & d))) | 0, (SINES[i + 3] + words[(5 * i) & 15]) | 0, 20, c);
      }
      for (let i = 32; i < 48; i += 4) {
        a = step((a + (b ^ c ^ d)) | 0, (SINES[i] + words[(3 * i + 5) & 15]) | 0, 4, b);
        d = step((d + (a ^ b ^ c)) | 0, (SINES[i + 1] + words[(3 * i + 8) & 15]) | 0, 11, a);
        c = step((c + (d ^ a ^ b)) | 0, (SINES[i + 2] + words[(3 * i + 11) & 15]) | 0, 16, d);
        b = step((b + (c ^ d ^ a)) | 0, (SINES[i + 3] + words[(3 * i + 14) & 15]) | 0, 23, c);
      }
      for (let i = 48; i < 64; i += 4) {
        a = step((a + (c ^ (b | ~d))) | 0, (SINES[i] + words[(7 * i) & 15]) | 0, 6, b);
        d = step((d + (b ^ (a | ~c))) | 0, (SINES[i + 1] + words[(7 * i + 7) & 15]) | 0, 10, a);
        c = step((c + (a ^ (d | ~b))) | 0, (SINES[i + 2] + words[(7 * i + 14) & 15]) | 0, 15, d);
        b = step((b + (d ^ (c | ~a))) | 0, (SINES[i + 3] + words[(7 * i + 5) & 15]) | 0, 21, c);
      }
      a = (a + a0) | 0;
      b = (b + b0) | 0;
      c = (c + c0) | 0;
      d = (d + d0) | 0;
    }
    this.#state.set([a, b, c, d]);
  }
}

function step(mixed, added, shift, onto) {
  const sum = (mixed + added) | 0;
  return (((sum << shift) | (sum >>> (32 - shift))) + onto) | 0;
}
