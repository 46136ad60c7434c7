/** Reads a document of ours from front to back, exactly: every byte is asked for, and none may be left. */
import { MirrorError } from "../errors.js";

export class BinaryReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  /** `what` names the document in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#what = what;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws MirrorError DOCUMENT_INVALID at the end, as every method below */
  u8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.refuse("ends within a number");
    this.#at++;
    return byte;
  }

  /** An unsigned LEB128 number of at most 2^53 - 1, in its shortest form. */
  varint(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined || byte >= 0x80) return this.#longVarint();
    this.#at++;
    return byte;
  }

  /** A zigzag-coded number: 0, -1, 1, -2, ... as 0, 1, 2, 3, ... */
  signedVarint(): number {
    const folded = this.varint();
    return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  }

  /** The next `sizeBytes` bytes; they stay the document's own memory. */
  bytes(sizeBytes: number): Uint8Array {
    return this.bytesAt(this.pass(sizeBytes), sizeBytes);
  }

  /** Passes the next `sizeBytes` bytes. @returns where they begin, for `bytesAt` */
  pass(sizeBytes: number): number {
    const start = this.#at;
    if (sizeBytes > this.#bytes.length - start) {
      this.refuse(`ends too early: expected ${sizeBytes} bytes more, got ${this.remaining}`);
    }
    this.#at = start + sizeBytes;
    return start;
  }

  /** Bytes that were passed; they stay the document's own memory. */
  bytesAt(start: number, sizeBytes: number): Uint8Array {
    return this.#bytes.subarray(start, start + sizeBytes);
  }

  /** The next `sizeBytes` bytes, a few, to a place in `target`. */
  copy(sizeBytes: number, target: Uint8Array, offset: number): void {
    const start = this.pass(sizeBytes);
    const bytes = this.#bytes;
    for (let at = 0; at < sizeBytes; at++) target[offset + at] = bytes[start + at] ?? 0;
  }

  latin1(sizeBytes: number): string {
    const start = this.pass(sizeBytes);
    return this.#bytes.toString("latin1", start, this.#at);
  }

  /** @throws MirrorError DOCUMENT_INVALID when bytes are left over */
  finish(): void {
    if (this.remaining !== 0) this.refuse(`has ${this.remaining} bytes too many`);
  }

  /** @throws MirrorError DOCUMENT_INVALID, naming the document and the place reached */
  refuse(why: string): never {
    throw new MirrorError("DOCUMENT_INVALID", `${this.#what} ${why} (at byte ${this.#at})`);
  }

  #longVarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < VARINT_MAX_BYTES; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && count > 0) this.refuse("has a number that is not in its shortest form");
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    return this.refuse("has a number above 2^53 - 1");
  }
}

const VARINT_MAX_BYTES = 8;
