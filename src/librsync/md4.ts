/** MD4 (RFC 1320), which OpenSSL 3 no longer offers; librsync's strong sum in duplicity's signatures. */

/** The MD4 digest of `bytes`. */
export function md4(bytes: Uint8Array): Uint8Array {
  const hash = new Md4();
  hash.update(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
  const digest = new Uint8Array(16);
  hash.finishInto(digest, 0, 16);
  return digest;
}

/**
 * A running MD4, made once and used for any number of messages: it allocates nothing per message.
 * It takes a DataView, because that reads words at any offset at full speed.
 */
export class Md4 {
  readonly #state = Int32Array.from(INITIAL_STATE);
  /** The beginning of a 64-byte unit that is not whole yet, and the padding in the end. */
  readonly #tail = new Uint8Array(UNIT);
  readonly #tailView = new DataView(this.#tail.buffer);
  #tailSize = 0;
  #sizeBytes = 0;

  /** Adds the bytes of `view` from `start` to `end`. */
  update(view: DataView, start: number, end: number): void {
    this.#sizeBytes += end - start;
    let at = start;
    if (this.#tailSize > 0) {
      at += this.#fillTail(view, at, end);
      if (this.#tailSize < UNIT) return;
      mix(this.#state, this.#tailView, 0, UNIT);
      this.#tailSize = 0;
    }
    const wholeEnd = at + ((end - at) & -UNIT);
    if (wholeEnd > at) mix(this.#state, view, at, wholeEnd);
    if (wholeEnd < end) this.#fillTail(view, wholeEnd, end);
  }

  /** Writes the first `count` bytes of the digest, a multiple of 4, at `offset`, and begins a new message. */
  finishInto(output: Uint8Array, offset: number, count: number): void {
    this.#pad();
    for (let at = 0; at < count; at++) {
      output[offset + at] = (this.#state[at >> 2] ?? 0) >>> ((at & 3) * 8);
    }
    this.#state.set(INITIAL_STATE);
    this.#tailSize = 0;
    this.#sizeBytes = 0;
  }

  #fillTail(view: DataView, start: number, end: number): number {
    const take = Math.min(UNIT - this.#tailSize, end - start);
    this.#tail.set(new Uint8Array(view.buffer, view.byteOffset + start, take), this.#tailSize);
    this.#tailSize += take;
    return take;
  }

  #pad(): void {
    this.#tail.fill(0, this.#tailSize);
    this.#tail[this.#tailSize] = 0x80;
    if (this.#tailSize >= UNIT - 8) {
      mix(this.#state, this.#tailView, 0, UNIT);
      this.#tail.fill(0);
    }
    this.#tailView.setUint32(56, (this.#sizeBytes * 8) >>> 0, true);
    this.#tailView.setUint32(60, Math.floor(this.#sizeBytes / 0x2000_0000), true);
    mix(this.#state, this.#tailView, 0, UNIT);
  }
}

const UNIT = 64;
const INITIAL_STATE = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];

const ROUND_2 = 0x5a827999;
const ROUND_3 = 0x6ed9eba1;

/** Mixes the whole 64-byte units of `view` from `start` to `end` into `state` (RFC 1320, 3.4). */
function mix(state: Int32Array, view: DataView, start: number, end: number): void {
  let a = state[0] ?? 0;
  let b = state[1] ?? 0;
  let c = state[2] ?? 0;
  let d = state[3] ?? 0;
  for (let at = start; at < end; at += UNIT) {
    a = turn(a + (d ^ (b & (c ^ d))) + view.getInt32(at, true), 3);
    d = turn(d + (c ^ (a & (b ^ c))) + view.getInt32(at + 4, true), 7);
    c = turn(c + (b ^ (d & (a ^ b))) + view.getInt32(at + 8, true), 11);
    b = turn(b + (a ^ (c & (d ^ a))) + view.getInt32(at + 12, true), 19);
    a = turn(a + (d ^ (b & (c ^ d))) + view.getInt32(at + 16, true), 3);
    d = turn(d + (c ^ (a & (b ^ c))) + view.getInt32(at + 20, true), 7);
    c = turn(c + (b ^ (d & (a ^ b))) + view.getInt32(at + 24, true), 11);
    b = turn(b + (a ^ (c & (d ^ a))) + view.getInt32(at + 28, true), 19);
    a = turn(a + (d ^ (b & (c ^ d))) + view.getInt32(at + 32, true), 3);
    d = turn(d + (c ^ (a & (b ^ c))) + view.getInt32(at + 36, true), 7);
    c = turn(c + (b ^ (d & (a ^ b))) + view.getInt32(at + 40, true), 11);
    b = turn(b + (a ^ (c & (d ^ a))) + view.getInt32(at + 44, true), 19);
    a = turn(a + (d ^ (b & (c ^ d))) + view.getInt32(at + 48, true), 3);
    d = turn(d + (c ^ (a & (b ^ c))) + view.getInt32(at + 52, true), 7);
    c = turn(c + (b ^ (d & (a ^ b))) + view.getInt32(at + 56, true), 11);
    b = turn(b + (a ^ (c & (d ^ a))) + view.getInt32(at + 60, true), 19);
    a = turn(a + ((b & c) | (d & (b | c))) + view.getInt32(at, true) + ROUND_2, 3);
    d = turn(d + ((a & b) | (c & (a | b))) + view.getInt32(at + 16, true) + ROUND_2, 5);
    c = turn(c + ((d & a) | (b & (d | a))) + view.getInt32(at + 32, true) + ROUND_2, 9);
    b = turn(b + ((c & d) | (a & (c | d))) + view.getInt32(at + 48, true) + ROUND_2, 13);
    a = turn(a + ((b & c) | (d & (b | c))) + view.getInt32(at + 4, true) + ROUND_2, 3);
    d = turn(d + ((a & b) | (c & (a | b))) + view.getInt32(at + 20, true) + ROUND_2, 5);
    c = turn(c + ((d & a) | (b & (d | a))) + view.getInt32(at + 36, true) + ROUND_2, 9);
    b = turn(b + ((c & d) | (a & (c | d))) + view.getInt32(at + 52, true) + ROUND_2, 13);
    a = turn(a + ((b & c) | (d & (b | c))) + view.getInt32(at + 8, true) + ROUND_2, 3);
    d = turn(d + ((a & b) | (c & (a | b))) + view.getInt32(at + 24, true) + ROUND_2, 5);
    c = turn(c + ((d & a) | (b & (d | a))) + view.getInt32(at + 40, true) + ROUND_2, 9);
    b = turn(b + ((c & d) | (a & (c | d))) + view.getInt32(at + 56, true) + ROUND_2, 13);
    a = turn(a + ((b & c) | (d & (b | c))) + view.getInt32(at + 12, true) + ROUND_2, 3);
    d = turn(d + ((a & b) | (c & (a | b))) + view.getInt32(at + 28, true) + ROUND_2, 5);
    c = turn(c + ((d & a) | (b & (d | a))) + view.getInt32(at + 44, true) + ROUND_2, 9);
    b = turn(b + ((c & d) | (a & (c | d))) + view.getInt32(at + 60, true) + ROUND_2, 13);
    a = turn(a + (b ^ c ^ d) + view.getInt32(at, true) + ROUND_3, 3);
    d = turn(d + (a ^ b ^ c) + view.getInt32(at + 32, true) + ROUND_3, 9);
    c = turn(c + (d ^ a ^ b) + view.getInt32(at + 16, true) + ROUND_3, 11);
    b = turn(b + (c ^ d ^ a) + view.getInt32(at + 48, true) + ROUND_3, 15);
    a = turn(a + (b ^ c ^ d) + view.getInt32(at + 8, true) + ROUND_3, 3);
    d = turn(d + (a ^ b ^ c) + view.getInt32(at + 40, true) + ROUND_3, 9);
    c = turn(c + (d ^ a ^ b) + view.getInt32(at + 24, true) + ROUND_3, 11);
    b = turn(b + (c ^ d ^ a) + view.getInt32(at + 56, true) + ROUND_3, 15);
    a = turn(a + (b ^ c ^ d) + view.getInt32(at + 4, true) + ROUND_3, 3);
    d = turn(d + (a ^ b ^ c) + view.getInt32(at + 36, true) + ROUND_3, 9);
    c = turn(c + (d ^ a ^ b) + view.getInt32(at + 20, true) + ROUND_3, 11);
    b = turn(b + (c ^ d ^ a) + view.getInt32(at + 52, true) + ROUND_3, 15);
    a = turn(a + (b ^ c ^ d) + view.getInt32(at + 12, true) + ROUND_3, 3);
    d = turn(d + (a ^ b ^ c) + view.getInt32(at + 44, true) + ROUND_3, 9);
    c = turn(c + (d ^ a ^ b) + view.getInt32(at + 28, true) + ROUND_3, 11);
    b = turn(b + (c ^ d ^ a) + view.getInt32(at + 60, true) + ROUND_3, 15);
    a = state[0] = (a + (state[0] ?? 0)) | 0;
    b = state[1] = (b + (state[1] ?? 0)) | 0;
    c = state[2] = (c + (state[2] ?? 0)) | 0;
    d = state[3] = (d + (state[3] ?? 0)) | 0;
  }
}

function turn(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
