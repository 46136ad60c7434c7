/** Blocks of a share as they lie in a pack. */
import { equalBytes, sha256Async } from "../bytes/digest.js";
import { RANGE_MAX_BYTES } from "../limits.js";
import { blockHash } from "../manifest/file-table.js";
import type { ByteRange } from "../store/source.js";
import type { TrueBlock } from "./audit-truth.js";

/** Whether `bytes` are what was published as this block of `share`. */
export async function isBlock(
  bytes: Uint8Array,
  block: TrueBlock,
  share: number,
): Promise<boolean> {
  return equalBytes(await sha256Async(bytes), blockHash(block, share));
}

/** Those that lie one behind the other together, as far as one read goes. */
export function joinBlocks(blocks: readonly TrueBlock[]): TrueBlock[][] {
  const runs: TrueBlock[][] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    const first = run?.[0];
    const last = run?.at(-1);
    const isNext = last !== undefined && last.offset + last.sizeBytes === block.offset;
    const end = block.offset + block.sizeBytes;
    if (isNext && first !== undefined && end - first.offset <= RANGE_MAX_BYTES) run?.push(block);
    else runs.push([block]);
  }
  return runs;
}

/** From the first to the last of them, which are in order. */
export function rangeOf(run: readonly TrueBlock[]): ByteRange {
  const offset = run[0]?.offset ?? 0;
  const last = run.at(-1);
  const end = last === undefined ? offset : last.offset + last.sizeBytes;
  return { offset, sizeBytes: end - offset };
}

/** `block` in the bytes of a range that holds it. */
export function cutBlock(bytes: Uint8Array, range: ByteRange, block: TrueBlock): Uint8Array {
  const start = block.offset - range.offset;
  return bytes.subarray(start, start + block.sizeBytes);
}
