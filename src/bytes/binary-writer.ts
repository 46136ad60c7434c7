/** Writes what `BinaryReader` reads. */
import assert from "node:assert/strict";

export class BinaryWriter {
  #bytes = Buffer.allocUnsafe(FIRST_SIZE_BYTES);
  #size = 0;

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  u8(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff, `${value} is not a byte`);
    const at = this.#grow(1);
    this.#bytes[at] = value;
  }

  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `${value} is not a size or a count`);
    let at = this.#grow(VARINT_MAX_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[at++] = rest;
    this.#size = at;
  }

  /** Of a number from -2^52 to 2^52 - 1. */
  signedVarint(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
  }

  /** The bytes of a latin1 string, without its length. */
  latin1(value: string): void {
    const at = this.#grow(value.length);
    this.#bytes.write(value, at, "latin1");
  }

  /** What was written; the writer is done with. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Makes room for `sizeBytes` bytes and counts them as written. @returns where they begin */
  #grow(sizeBytes: number): number {
    const at = this.#size;
    const needed = at + sizeBytes;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#size = needed;
    return at;
  }
}

const FIRST_SIZE_BYTES = 256;
const VARINT_MAX_BYTES = 8;
