/** A small publication in memory: files coded into the packs of n shares. */
import { sha256 } from "../../src/bytes/digest.js";
import { encodeBlocks } from "../../src/erasure/codec.js";
import type { Shape } from "../../src/erasure/shape.js";
import { compressStripe } from "../../src/erasure/stripe.js";
import { STRIPE_SIZE_BYTES } from "../../src/limits.js";
import type { CodedFile, Stripe } from "../../src/manifest/file-table.js";
import { packPath } from "../../src/manifest/paths.js";
import { type PooledSource, SourcePool } from "../../src/retrieve/source-pool.js";
import type { LocatedFile, RetrievedStripe, StripeRequest } from "../../src/retrieve/stripes.js";
import { MemorySource } from "../store/memory-source.js";
import { testRuntime } from "../store/runtime.js";

const SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e";
const CHAIN = 1_700_000_000;

export interface Published {
  readonly shape: Shape;
  readonly files: readonly LocatedFile[];
  readonly contents: readonly Uint8Array[];
  /** The files of each share, by path. */
  readonly shares: readonly ReadonlyMap<string, Uint8Array>[];
}

/** The files one after the other in pack 0, each `gapBytes` after the one before. */
export async function publish(
  contents: readonly Uint8Array[],
  shape: Shape,
  gapBytes = 0,
): Promise<Published> {
  const parts: Uint8Array[][] = Array.from({ length: shape.n }, () => []);
  const files: LocatedFile[] = [];
  let offset = 0;
  for (const [at, bytes] of contents.entries()) {
    const { stripes, blocks } = await encode(bytes, shape);
    const file = codedFile(at + 1, bytes, offset, stripes);
    files.push({ session: SESSION, chain: CHAIN, shape, stream: "volumes", file });
    for (const [share, part] of parts.entries()) {
      const own = blocks.map((all) => all[share] ?? new Uint8Array());
      part.push(...own, new Uint8Array(gapBytes));
    }
    offset += gapBytes + blocks.reduce((sum, [first]) => sum + (first?.length ?? 0), 0);
  }
  const shares = parts.map((part, share) => new Map([[pathOf(share), Buffer.concat(part)]]));
  return { shape, files, contents, shares };
}

export function pathOf(share: number): string {
  return packPath({ share, session: SESSION, chain: CHAIN, stream: "volumes", pack: 0 });
}

/** Every stripe of every file, in order. */
export function* allStripes({ files }: Published): Generator<StripeRequest> {
  for (const file of files) {
    for (const stripe of file.file.stripes.keys()) yield { file, stripe };
  }
}

/** One source for each share, named `s<share>`; in a pool it declares that share. */
export function sourcePerShare({ shares }: Published): MemorySource[] {
  return shares.map((files, share) => new MemorySource(`s${share}`, files));
}

/** A source that holds all shares. */
export function wholeSource(name: string, { shares }: Published): MemorySource {
  return new MemorySource(name, new Map(shares.flatMap((files) => [...files])));
}

export function poolOf(sources: readonly MemorySource[], runtime = testRuntime()): SourcePool {
  const pooled: PooledSource[] = sources.map((source) => {
    const share = /^s(\d+)$/.exec(source.name)?.[1];
    return { source, shares: share === undefined ? undefined : [Number(share)] };
  });
  return new SourcePool({ sources: pooled, runtime });
}

async function encode(
  bytes: Uint8Array,
  shape: Shape,
): Promise<{ readonly stripes: Stripe[]; readonly blocks: Uint8Array[][] }> {
  const stripes: Stripe[] = [];
  const blocks: Uint8Array[][] = [];
  for (let at = 0; at < bytes.length; at += STRIPE_SIZE_BYTES) {
    const raw = bytes.subarray(at, at + STRIPE_SIZE_BYTES);
    const { compression, stored } = await compressStripe(raw);
    const coded = await encodeBlocks(stored, shape);
    const blockHashes = Buffer.concat(coded.map(sha256));
    stripes.push({ compression, storedSizeBytes: stored.length, blockHashes });
    blocks.push(coded);
  }
  return { stripes, blocks };
}

function codedFile(
  number: number,
  bytes: Uint8Array,
  offset: number,
  stripes: readonly Stripe[],
): CodedFile {
  return {
    name: `duplicity-full.20231114T221320Z.vol${number}.difftar`,
    role: "volume",
    number,
    wrapping: "plain",
    sizeBytes: bytes.length,
    stripeSizeBytes: STRIPE_SIZE_BYTES,
    hash: sha256(bytes),
    pack: 0,
    offset,
    stripes,
  };
}

/** The files, from the stripes that were retrieved of them. */
export function joinFiles(
  { files }: Published,
  stripes: readonly RetrievedStripe[],
): readonly Uint8Array[] {
  return files.map((file) => {
    const own = stripes.filter(({ request }) => request.file === file);
    return Buffer.concat(own.map(({ bytes }) => bytes));
  });
}
