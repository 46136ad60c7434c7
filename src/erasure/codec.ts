/**
 * Stripes to blocks and back: a systematic Reed-Solomon code over the whole block. Blocks 0 to k - 1 are the stripe
 * itself, padded with zeros; the other m = n - k are parity. Any k blocks give the stripe.
 */
import assert from "node:assert/strict";
import { MirrorError } from "../errors.js";
import { MAX_K, MAX_M } from "../limits.js";
import { openCoder } from "./reed-solomon.js";
import type { Shape } from "./shape.js";

/** Whether the code has this shape. */
export function isShape({ k, n }: Shape): boolean {
  const isWhole = Number.isInteger(k) && Number.isInteger(n);
  return isWhole && k >= 1 && k <= MAX_K && n >= k && n - k <= MAX_M;
}

/** @throws MirrorError UNSUPPORTED when the code has no such shape */
export function checkShape(shape: Shape): void {
  if (isShape(shape)) return;
  const { k, n } = shape;
  const expected = `expected 1 <= k <= ${MAX_K} and k <= n <= k + ${MAX_M}`;
  throw new MirrorError("UNSUPPORTED", `shares of k = ${k}, n = ${n}: ${expected}`);
}

/** Bytes of each block of a stripe: one k-th, in whole words of 8 bytes. */
export function blockSize(storedSizeBytes: number, k: number): number {
  assert(storedSizeBytes > 0, "a stripe is never empty");
  return Math.ceil(storedSizeBytes / (k * WORD_SIZE_BYTES)) * WORD_SIZE_BYTES;
}

/** The n blocks of a stripe; `stored` is copied. They lie in `room`, if it is given, from its beginning. */
export async function encodeBlocks(
  stored: Uint8Array,
  shape: Shape,
  room?: Uint8Array,
): Promise<Uint8Array[]> {
  checkShape(shape);
  const { k, n } = shape;
  const sizeBytes = blockSize(stored.length, k);
  const all = toBuffer(room ?? Buffer.allocUnsafeSlow(sizeBytes * n), sizeBytes * n);
  all.set(stored);
  all.fill(0, stored.length, sizeBytes * k);
  if (n > k) {
    const data = all.subarray(0, sizeBytes * k);
    const parity = all.subarray(sizeBytes * k);
    const code = await openCoder(k, n - k);
    await code({ sources: bits(0, k), targets: bits(k, n), data, parity });
  }
  return cut(all, sizeBytes);
}

/**
 * The stripe that `blocks` (share 0 first, holes undefined) belong to. While the first k are there, nothing is decoded.
 * @throws MirrorError SHARES_TOO_FEW
 */
export async function decodeBlocks(
  blocks: readonly (Uint8Array | undefined)[],
  shape: Shape,
  storedSizeBytes: number,
): Promise<Uint8Array> {
  checkShape(shape);
  const { k } = shape;
  const sizeBytes = blockSize(storedSizeBytes, k);
  const sources = chooseSources(blocks, shape, sizeBytes);
  const [first] = blocks;
  if (k === 1 && first !== undefined) return first.subarray(0, storedSizeBytes);
  const data = await restoreData(blocks, sources, shape, sizeBytes);
  return data.subarray(0, storedSizeBytes);
}

const WORD_SIZE_BYTES = 8;

/** The numbers of the first k blocks that are there. */
function chooseSources(
  blocks: readonly (Uint8Array | undefined)[],
  { k, n }: Shape,
  sizeBytes: number,
): number[] {
  assert(blocks.length <= n, `${blocks.length} blocks of a code with ${n}`);
  const sources: number[] = [];
  for (const [share, block] of blocks.entries()) {
    if (block === undefined) continue;
    assert(block.length === sizeBytes, `block of share ${share}: ${block.length} bytes`);
    if (sources.length < k) sources.push(share);
  }
  if (sources.length < k) {
    throw new MirrorError("SHARES_TOO_FEW", `${sources.length} good shares, ${k} needed`);
  }
  return sources;
}

/** The k data blocks, one after the other; the blocks given are copied and stay as they are. */
async function restoreData(
  blocks: readonly (Uint8Array | undefined)[],
  sources: readonly number[],
  { k, n }: Shape,
  sizeBytes: number,
): Promise<Buffer> {
  const sourceBits = sources.reduce((all, share) => all | (1 << share), 0);
  const targets = bits(0, k) & ~sourceBits;
  // Memory outside of the heap makes for collections of garbage: no more of it than is needed.
  const all = Buffer.allocUnsafe(sizeBytes * (targets === 0 ? k : n));
  for (const share of sources) all.set(blocks[share] ?? [], share * sizeBytes);
  const data = all.subarray(0, sizeBytes * k);
  if (targets !== 0) {
    const code = await openCoder(k, n - k);
    await code({ sources: sourceBits, targets, data, parity: all.subarray(sizeBytes * k) });
  }
  return data;
}

/** The first `sizeBytes` of `bytes`, as the coder wants them. */
function toBuffer(bytes: Uint8Array, sizeBytes: number): Buffer {
  assert(bytes.length >= sizeBytes, `${bytes.length} bytes for blocks of ${sizeBytes}`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, sizeBytes);
}

/** Bits `from` to `to` - 1. MAX_K + MAX_M keeps them within 31. */
function bits(from: number, to: number): number {
  return 2 ** to - 2 ** from;
}

function cut(bytes: Uint8Array, sizeBytes: number): Uint8Array[] {
  const count = bytes.length / sizeBytes;
  return Array.from({ length: count }, (_, at) =>
    bytes.subarray(at * sizeBytes, (at + 1) * sizeBytes),
  );
}
