/** What a tree missed of its own chain, when the newest set is of another. */
import { isMirrorError } from "../errors.js";
import { type Head, retainsChain } from "../manifest/head.js";
import { readJournal } from "./journal.js";
import type { Operation } from "./operation.js";
import { findPosition, type Position } from "./position.js";
import type { SyncReport } from "./report.js";
import { updateTree } from "./update.js";

/**
 * Brings the tree to the end of its chain while that is retained. What has changed lies there as deltas in increments of
 * its own; in a new full set it is scattered. Whatever is wrong with the old chain, the newest set needs none of it.
 * @returns undefined when the tree is where it was
 */
export async function followOldChain(
  operation: Operation,
  order: { readonly head: Head; readonly forcePurge?: boolean | undefined },
): Promise<SyncReport | undefined> {
  const { position, filter, files, options } = operation;
  if (position?.filter !== filter || !isOld(position, order.head)) return undefined;
  try {
    const lineage = await operation.readEnd(order.head, position.chain);
    const at = findPosition(position, lineage.lines);
    if (at === -1 || at === lineage.lines.length - 1) return undefined;
    return await updateTree(operation, {
      ...order,
      lineage,
      choice: { kind: "follow", first: at + 1 },
    });
  } catch (error) {
    if (!isMirrorError(error) || error.code === "CANCELLED") throw error;
    // A commit that was begun is ended before anything else: by the next cycle.
    if (readJournal(files.journal) !== undefined) throw error;
    const { code, message } = error;
    options.runtime.log.warn("chain.unfollowed", { chain: position.chain, code, reason: message });
    return undefined;
  }
}

/** Both together, as one cycle that did the second. */
export function joinReports(first: SyncReport | undefined, second: SyncReport): SyncReport {
  if (first === undefined) return second;
  return {
    ...second,
    positionBefore: first.positionBefore,
    files: {
      written: first.files.written + second.files.written,
      patched: first.files.patched + second.files.patched,
      special: first.files.special + second.files.special,
      attributes: first.files.attributes + second.files.attributes,
      deleted: first.files.deleted + second.files.deleted,
      mended: first.files.mended + second.files.mended,
    },
  };
}

function isOld(position: Position, head: Head): boolean {
  return position.chain !== head.newest.chain && retainsChain(head, position);
}
