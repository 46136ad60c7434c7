/**
 * Files to coded stripes, in order. Compressing, coding and hashing run in the thread pool, several stripes at once and
 * across the borders of files, so that all cores work; a few stripes are in memory, whatever the size of the set.
 */
import { createHash } from "node:crypto";
import { sha256Async, toBase64url } from "../bytes/digest.js";
import type { FileRole, Wrapping } from "../duplicity/names.js";
import { encodeBlocks } from "../erasure/codec.js";
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

export async function* encodeFiles(
  files: Iterable<PlainFile>,
  shape: Shape,
): AsyncGenerator<EncodeEvent, void, undefined> {
  const underWay: Promise<EncodeEvent>[] = [];
  for await (const piece of cutFiles(files)) {
    const event = piece.kind === "end" ? Promise.resolve(piece) : encodeStripe(piece.raw, shape);
    // A failure is thrown when its turn comes; until then it must not count as unhandled.
    event.catch(() => undefined);
    underWay.push(event);
    if (underWay.length < STRIPES_UNDER_WAY) continue;
    const first = underWay.shift();
    if (first !== undefined) yield await first;
  }
  for (const event of underWay) yield await event;
}

/** As base64url, how a whole small file is named in documents. */
export async function hashFile(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) hash.update(chunk);
  return toBase64url(hash.digest());
}

/** One for each thread of the pool; more would only take memory. */
const STRIPES_UNDER_WAY = 4;

type Piece =
  | { readonly kind: "raw"; readonly raw: Uint8Array }
  | Extract<EncodeEvent, { kind: "end" }>;

async function* cutFiles(files: Iterable<PlainFile>): AsyncGenerator<Piece, void, undefined> {
  for (const file of files) yield* cutFile(file);
}

async function* cutFile(file: PlainFile): AsyncGenerator<Piece, void, undefined> {
  const { chunks, expected, ...described } = file;
  const hash = createHash("sha256");
  const foreignHash = expected === undefined ? undefined : createHash(expected.algorithm);
  const cutter = new StripeCutter();
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    foreignHash?.update(chunk);
    sizeBytes += chunk.length;
    for (const raw of cutter.push(chunk)) yield { kind: "raw", raw };
  }
  const rest = cutter.finish();
  if (rest.length > 0) yield { kind: "raw", raw: rest };
  if (foreignHash !== undefined) expected?.check(foreignHash.digest("hex"));
  yield { kind: "end", file: described, sizeBytes, hash: hash.digest() };
}

/** Chunks of any size to stripes of STRIPE_SIZE_BYTES and a rest. */
class StripeCutter {
  #stripe = Buffer.alloc(0);
  #filled = 0;

  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#stripe.length === 0) this.#stripe = Buffer.allocUnsafe(STRIPE_SIZE_BYTES);
      const part = chunk.subarray(at, at + STRIPE_SIZE_BYTES - this.#filled);
      this.#stripe.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === STRIPE_SIZE_BYTES) yield this.finish();
    }
  }

  finish(): Uint8Array {
    const stripe = this.#stripe.subarray(0, this.#filled);
    this.#stripe = Buffer.alloc(0);
    this.#filled = 0;
    return stripe;
  }
}

async function encodeStripe(raw: Uint8Array, shape: Shape): Promise<EncodeEvent> {
  const { compression, stored } = await compressStripe(raw);
  const blocks = await encodeBlocks(stored, shape);
  const hashes = await Promise.all(blocks.map(sha256Async));
  const blockHashes = Buffer.concat(hashes);
  return {
    kind: "stripe",
    blocks,
    stripe: { compression, storedSizeBytes: stored.length, blockHashes },
  };
}
