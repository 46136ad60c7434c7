/**
 * Files to coded stripes, in order. Compressing, coding and hashing run in the thread pool, several stripes at once and
 * across the borders of files, beside what this thread does; a few stripes are in memory, whatever the size of the set.
 */
import { createHash } from "node:crypto";
import { BufferPool } from "../bytes/buffer-pool.js";
import { sha256Async } from "../bytes/digest.js";
import type { FileRole, Wrapping } from "../duplicity/names.js";
import { blockSize, encodeBlocks } from "../erasure/codec.js";
import type { Shape } from "../erasure/shape.js";
import { compressStripe } from "../erasure/stripe.js";
import { STRIPE_SIZE_BYTES } from "../limits.js";
import type { Stripe } from "../manifest/file-table.js";

/** A file of the repository that shall be coded. */
export interface PlainFile {
  readonly name: string;
  readonly role: FileRole;
  readonly number: number;
  readonly wrapping: Wrapping;
  readonly stripeSizeBytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** What duplicity says its bytes hash to; `check` throws when they do not. */
  readonly expected?: ExpectedHash;
}

/** A hash in duplicity's manifest. */
export interface ExpectedHash {
  readonly algorithm: "sha1" | "md5";
  readonly check: (hex: string) => void;
}

export type EncodeEvent =
  | { readonly kind: "stripe"; readonly stripe: Stripe; readonly blocks: readonly Uint8Array[] }
  | {
      /** After a file's last stripe. */
      readonly kind: "end";
      readonly file: Omit<PlainFile, "chunks" | "expected">;
      readonly sizeBytes: number;
      readonly hash: Uint8Array;
    };

/** Codes files for one chain; the buffers that it works in are used again from stripe to stripe and from set to set. */
export class FileEncoder {
  readonly #shape: Shape;
  readonly #stripes = new BufferPool(STRIPE_SIZE_BYTES);
  readonly #blocks: BufferPool;

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#blocks = new BufferPool(blockSize(STRIPE_SIZE_BYTES, shape.k) * shape.n);
  }

  /** The blocks of an event are there until the next event is asked for. */
  async *encode(files: Iterable<PlainFile>): AsyncGenerator<EncodeEvent, void, undefined> {
    const underWay: UnderWay[] = [];
    for await (const piece of cutFiles(files, this.#stripes)) {
      underWay.push(this.#begin(piece));
      if (underWay.length === PIECES_UNDER_WAY) yield* this.#endFirst(underWay);
    }
    while (underWay.length > 0) yield* this.#endFirst(underWay);
  }

  #begin(piece: Piece): UnderWay {
    if (piece.kind === "end") return { event: Promise.resolve(piece) };
    const room = this.#blocks.take();
    const event = this.#encodeStripe(piece, room);
    // A failure is thrown when its turn comes; until then it must not count as unhandled.
    event.catch(() => undefined);
    return { event, room };
  }

  async *#endFirst(underWay: UnderWay[]): AsyncGenerator<EncodeEvent, void, undefined> {
    const first = underWay.shift();
    if (first === undefined) return;
    yield await first.event;
    if (first.room !== undefined) this.#blocks.give(first.room);
  }

  async #encodeStripe({ raw, buffer }: RawPiece, room: Uint8Array): Promise<EncodeEvent> {
    const { compression, stored } = await compressStripe(raw);
    const blocks = await encodeBlocks(stored, this.#shape, room);
    this.#stripes.give(buffer);
    const hashes = await Promise.all(blocks.map(sha256Async));
    const blockHashes = Buffer.concat(hashes);
    return {
      kind: "stripe",
      blocks,
      stripe: { compression, storedSizeBytes: stored.length, blockHashes },
    };
  }
}

/**
 * Two threads compress 130 MB/s, twice as much as this one describes; more would only take memory, some 10 MB for each stripe
 * and as much for each thread that ever compressed one.
 */
const PIECES_UNDER_WAY = 2;

type Piece = RawPiece | Extract<EncodeEvent, { kind: "end" }>;

interface RawPiece {
  readonly kind: "raw";
  readonly raw: Uint8Array;
  /** Holds `raw`. */
  readonly buffer: Uint8Array;
}

/** A stripe whose blocks go to `room`, or the end of a file. */
interface UnderWay {
  readonly event: Promise<EncodeEvent>;
  readonly room?: Uint8Array;
}

async function* cutFiles(
  files: Iterable<PlainFile>,
  stripes: BufferPool,
): AsyncGenerator<Piece, void, undefined> {
  for (const file of files) yield* cutFile(file, stripes);
}

async function* cutFile(
  file: PlainFile,
  stripes: BufferPool,
): AsyncGenerator<Piece, void, undefined> {
  const { chunks, expected, ...described } = file;
  const hash = createHash("sha256");
  const foreignHash = expected === undefined ? undefined : createHash(expected.algorithm);
  const cutter = new StripeCutter(stripes, file.stripeSizeBytes);
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    foreignHash?.update(chunk);
    sizeBytes += chunk.length;
    yield* cutter.push(chunk);
  }
  yield* cutter.finish();
  if (foreignHash !== undefined) expected?.check(foreignHash.digest("hex"));
  yield { kind: "end", file: described, sizeBytes, hash: hash.digest() };
}

/** Chunks of any size to stripes of one size and a rest. */
class StripeCutter {
  readonly #stripes: BufferPool;
  readonly #sizeBytes: number;
  #buffer: Uint8Array | undefined;
  #filled = 0;

  constructor(stripes: BufferPool, sizeBytes: number) {
    this.#stripes = stripes;
    this.#sizeBytes = sizeBytes;
  }

  *push(chunk: Uint8Array): Generator<RawPiece, void, undefined> {
    for (let at = 0; at < chunk.length; ) {
      this.#buffer ??= this.#stripes.take();
      const part = chunk.subarray(at, at + this.#sizeBytes - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#sizeBytes) yield* this.finish();
    }
  }

  *finish(): Generator<RawPiece, void, undefined> {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const raw = buffer.subarray(0, this.#filled);
    this.#buffer = undefined;
    this.#filled = 0;
    yield { kind: "raw", raw, buffer };
  }
}
