/** Reads tar streams as duplicity writes them (duplicity-format 3.1, 3.4, 5.1), in pieces of any size, without copying data. */
import { MirrorError } from "../errors.js";
import { TAR_METADATA_MAX_BYTES } from "../limits.js";
import { decodeLongName, decodePaxRecords } from "./pax.js";
import {
  checkTarBlock,
  decodeTarHeader,
  isZeroBlock,
  readTarSize,
  TAR_BLOCK_BYTES,
  type TarHeader,
  type TarOverrides,
} from "./tar-header.js";

export type TarEvent =
  /** `dataOffset`: where the entry's data begins in the stream. */
  | { readonly kind: "entry"; readonly header: TarHeader; readonly dataOffset: number }
  /** The next part of the entry's data: a view of the piece that was pushed. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** The entry's data is complete. Every entry has its end, also without data. */
  | { readonly kind: "end" };

/**
 * A stream ends at an entry's boundary, or with the first block of zeros: duplicity lets encrypted volumes be
 * followed by garbage, so nothing after that block is looked at. Throws MirrorError FORMAT_INVALID.
 */
export class TarReader {
  readonly #what: string;
  #state: "header" | "data" | "padding" | "metadata" | "ended" = "header";
  /** Bytes of the stream before the next one. */
  #offset = 0;
  /** Bytes until the present state is over, in the states data, padding and metadata. */
  #left = 0;
  #padding = 0;
  /** A header block that came in pieces. */
  readonly #block = Buffer.alloc(TAR_BLOCK_BYTES);
  #blockFilled = 0;
  #metadata = Buffer.alloc(0);
  #metadataType = 0;
  /** What extended headers said of the entry to come. */
  #overrides: TarOverrides | undefined;

  /** `what` names the stream in messages. */
  constructor(what: string) {
    this.#what = what;
  }

  /** What `chunk` completes. */
  push(chunk: Uint8Array): readonly TarEvent[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const events: TarEvent[] = [];
    let at = 0;
    while (at < bytes.length && this.#state !== "ended") {
      const next = this.#step(bytes, at, events);
      this.#offset += next - at;
      at = next;
    }
    return events;
  }

  /** To be called when nothing follows. */
  finish(): void {
    if (this.#state === "ended") return;
    const isBoundary = this.#state === "header" && this.#blockFilled === 0;
    if (!isBoundary || this.#overrides !== undefined)
      this.#refuse("the stream ends inside an entry");
  }

  #step(bytes: Buffer, at: number, events: TarEvent[]): number {
    if (this.#state === "header") return this.#readHeader(bytes, at, events);
    const end = Math.min(bytes.length, at + this.#left);
    if (this.#state === "data") events.push({ kind: "data", bytes: bytes.subarray(at, end) });
    if (this.#state === "metadata")
      bytes.copy(this.#metadata, this.#metadata.length - this.#left, at, end);
    this.#left -= end - at;
    if (this.#left === 0) this.#leave(events);
    return end;
  }

  /** What follows when nothing is left of the present state. */
  #leave(events: TarEvent[]): void {
    if (this.#state === "data") events.push({ kind: "end" });
    if (this.#state === "metadata") this.#applyMetadata();
    const isPadded = this.#state !== "padding" && this.#padding > 0;
    this.#state = isPadded ? "padding" : "header";
    this.#left = this.#padding;
  }

  #readHeader(bytes: Buffer, at: number, events: TarEvent[]): number {
    if (this.#blockFilled === 0 && bytes.length - at >= TAR_BLOCK_BYTES) {
      this.#takeBlock(bytes, at, this.#offset + TAR_BLOCK_BYTES, events);
      return at + TAR_BLOCK_BYTES;
    }
    const end = Math.min(bytes.length, at + TAR_BLOCK_BYTES - this.#blockFilled);
    bytes.copy(this.#block, this.#blockFilled, at, end);
    this.#blockFilled += end - at;
    if (this.#blockFilled === TAR_BLOCK_BYTES) {
      this.#blockFilled = 0;
      this.#takeBlock(this.#block, 0, this.#offset + end - at, events);
    }
    return end;
  }

  #takeBlock(block: Buffer, at: number, dataOffset: number, events: TarEvent[]): void {
    if (block[at] === 0 && isZeroBlock(block, at)) {
      if (this.#overrides !== undefined) this.#refuse("an extended header is followed by no entry");
      this.#state = "ended";
      return;
    }
    const where = this.#where();
    const type = checkTarBlock(block, at, where);
    if (type === TYPE_PAX || type === TYPE_LONG_NAME || type === TYPE_LONG_LINK) {
      this.#beginMetadata(type, readTarSize(block, at, where));
      return;
    }
    const header = decodeTarHeader(block, at, this.#overrides ?? NO_OVERRIDES, where);
    this.#overrides = undefined;
    events.push({ kind: "entry", header, dataOffset });
    if (header.sizeBytes === 0) events.push({ kind: "end" });
    else this.#expect("data", header.sizeBytes);
  }

  #beginMetadata(type: number, sizeBytes: number): void {
    if (sizeBytes === 0 || sizeBytes > TAR_METADATA_MAX_BYTES) {
      this.#refuse(
        `extended header of ${sizeBytes} bytes; expected 1 to ${TAR_METADATA_MAX_BYTES}`,
      );
    }
    this.#metadataType = type;
    this.#metadata = Buffer.alloc(sizeBytes);
    this.#expect("metadata", sizeBytes);
  }

  #applyMetadata(): void {
    const where = this.#where();
    this.#overrides ??= {};
    if (this.#metadataType === TYPE_PAX) decodePaxRecords(this.#metadata, this.#overrides, where);
    else if (this.#metadataType === TYPE_LONG_NAME)
      this.#overrides.name = decodeLongName(this.#metadata, where);
    else this.#overrides.target = decodeLongName(this.#metadata, where);
  }

  #expect(state: "data" | "metadata", sizeBytes: number): void {
    this.#state = state;
    this.#left = sizeBytes;
    this.#padding = (TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
  }

  #where(): string {
    return `${this.#what}, near byte ${this.#offset}`;
  }

  #refuse(why: string): never {
    throw new MirrorError("FORMAT_INVALID", `${this.#where()}: ${why}`);
  }
}

const TYPE_PAX = 0x78;
const TYPE_LONG_NAME = 0x4c;
const TYPE_LONG_LINK = 0x4b;

const NO_OVERRIDES: TarOverrides = {};
