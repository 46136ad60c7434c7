/** librsync signatures of the only kind duplicity makes: rolling sum and 8 bytes of MD4 (duplicity-format 5.3). */
import { MirrorError } from "../errors.js";
import { Md4 } from "./md4.js";

export const SIGNATURE_HEADER_BYTES = 12;

export interface SignatureShape {
  readonly blockLength: number;
  readonly strongLength: number;
  readonly blockCount: number;
}

/** Reads a whole signature's header and checks its size. @throws MirrorError FORMAT_INVALID */
export function parseSignature(bytes: Uint8Array): SignatureShape {
  return parseSignatureHeader(bytes, bytes.length);
}

/**
 * The same from a signature's first 12 bytes and its whole size, for signatures that are not in memory.
 * @throws MirrorError FORMAT_INVALID
 */
export function parseSignatureHeader(head: Uint8Array, sizeBytes: number): SignatureShape {
  if (head.length < SIGNATURE_HEADER_BYTES || sizeBytes < SIGNATURE_HEADER_BYTES) {
    refuse(`has ${Math.min(head.length, sizeBytes)} bytes, fewer than its header`);
  }
  const view = new DataView(head.buffer, head.byteOffset, SIGNATURE_HEADER_BYTES);
  const magic = view.getUint32(0);
  if (magic !== MAGIC)
    refuse(`begins with 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)} (MD4)`);
  const blockLength = view.getUint32(4);
  if (blockLength === 0) refuse("has blocks of length 0");
  const strongLength = view.getUint32(8);
  if (strongLength !== STRONG_BYTES) refuse(`has strong sums of ${strongLength} bytes, not 8`);
  const blockCount = (sizeBytes - SIGNATURE_HEADER_BYTES) / BLOCK_BYTES;
  if (!Number.isInteger(blockCount)) refuse(`of ${sizeBytes} bytes ends inside a block's sums`);
  return { blockLength, strongLength, blockCount };
}

/** Makes the signature of a file from its bytes, given in pieces of any size. */
export class SignatureBuilder {
  readonly #blockLength: number;
  readonly #md4 = new Md4();
  #output = new Uint8Array(INITIAL_OUTPUT_BYTES);
  #outputSize = 0;
  /** What is missing from the present block. */
  #left: number;
  #sum1 = 0;
  #sum2 = 0;

  constructor(blockLength: number) {
    this.#blockLength = blockLength;
    this.#left = blockLength;
    const header = new DataView(this.#output.buffer);
    header.setUint32(0, MAGIC);
    header.setUint32(4, blockLength);
    header.setUint32(8, STRONG_BYTES);
    this.#outputSize = SIGNATURE_HEADER_BYTES;
  }

  /** Adds bytes of the file. They are not kept. */
  update(chunk: Uint8Array): void {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    let at = 0;
    while (at < chunk.length) {
      const end = Math.min(at + this.#left, chunk.length);
      this.#md4.update(view, at, end);
      this.#addWeak(view, at, end);
      this.#left -= end - at;
      at = end;
      if (this.#left === 0) this.#closeBlock();
    }
  }

  /** The part of the signature that is ready and was not taken yet: the way to sign a huge file in little memory. */
  take(): Uint8Array {
    const ready = this.#output.slice(0, this.#outputSize);
    this.#outputSize = 0;
    return ready;
  }

  /** The signature, without what was already taken. Nothing may be added afterwards. */
  finish(): Uint8Array {
    if (this.#left < this.#blockLength) this.#closeBlock();
    return this.take();
  }

  /**
   * The rolling sum without its offset: `sum1` adds up the bytes, `sum2` each of them as often as `sum1` is taken.
   * Of sixteen bytes at once, two in each number: they stay far below its halves.
   */
  #addWeak(view: DataView, start: number, end: number): void {
    let sum1 = this.#sum1;
    let sum2 = this.#sum2;
    let at = start;
    for (; at + 16 <= end; at += 16) {
      const word0 = view.getInt32(at, true);
      const word1 = view.getInt32(at + 4, true);
      const word2 = view.getInt32(at + 8, true);
      const word3 = view.getInt32(at + 12, true);
      const even0 = word0 & PAIR;
      const even1 = word1 & PAIR;
      const even2 = word2 & PAIR;
      const odd0 = (word0 >>> 8) & PAIR;
      const odd1 = (word1 >>> 8) & PAIR;
      const odd2 = (word2 >>> 8) & PAIR;
      const even = even0 + even1 + even2 + (word3 & PAIR);
      const odd = odd0 + odd1 + odd2 + ((word3 >>> 8) & PAIR);
      const all = even + odd;
      // A byte counts once for itself and each that follows it: four for each word after its own, and within its own 4 to 1.
      const words = 3 * (even0 + odd0) + 2 * (even1 + odd1) + even2 + odd2;
      const within = 4 * (even & 0xffff) + 3 * (odd & 0xffff) + 2 * (even >>> 16) + (odd >>> 16);
      sum2 = (sum2 + 16 * sum1 + 4 * ((words & 0xffff) + (words >>> 16)) + within) | 0;
      sum1 = (sum1 + (all & 0xffff) + (all >>> 16)) | 0;
    }
    for (; at < end; at++) {
      sum1 = (sum1 + view.getUint8(at)) | 0;
      sum2 = (sum2 + sum1) | 0;
    }
    this.#sum1 = sum1;
    this.#sum2 = sum2;
  }

  #closeBlock(): void {
    this.#reserve();
    const output = this.#output;
    const at = this.#outputSize;
    // Of the sums 16 bits are kept, which these of the count decide.
    const count = (this.#blockLength - this.#left) & 0x1ffff;
    const sum1 = this.#sum1 + WEAK_OFFSET * count;
    const sum2 = this.#sum2 + WEAK_OFFSET * ((count * (count + 1)) / 2);
    output[at] = sum2 >>> 8;
    output[at + 1] = sum2;
    output[at + 2] = sum1 >>> 8;
    output[at + 3] = sum1;
    this.#md4.finishInto(output, at + 4, STRONG_BYTES);
    this.#outputSize += BLOCK_BYTES;
    this.#left = this.#blockLength;
    this.#sum1 = 0;
    this.#sum2 = 0;
  }

  #reserve(): void {
    if (this.#outputSize + BLOCK_BYTES <= this.#output.length) return;
    const larger = new Uint8Array(this.#output.length * 2);
    larger.set(this.#output);
    this.#output = larger;
  }
}

const MAGIC = 0x72730136;
const STRONG_BYTES = 8;
const BLOCK_BYTES = 4 + STRONG_BYTES;
/** Every other byte of four. */
const PAIR = 0x00ff00ff;
/** librsync's ROLLSUM_CHAR_OFFSET. */
const WEAK_OFFSET = 31;
const INITIAL_OUTPUT_BYTES = 252;

function refuse(why: string): never {
  throw new MirrorError("FORMAT_INVALID", `librsync signature ${why}`);
}
