/** What becomes of a build that was cut off, when it is not simply gone on with. */
import { sameSet } from "../duplicity/names.js";
import { isMirrorError } from "../errors.js";
import { type Head, retainsChain } from "../manifest/head.js";
import { chooseStrategy } from "./choose.js";
import { readJournal } from "./journal.js";
import type { Operation } from "./operation.js";
import type { Position } from "./position.js";
import type { SyncReport } from "./report.js";
import { closeStaging } from "./staging.js";
import { type FoundBuild, findUnfinished } from "./unfinished.js";
import { updateTree } from "./update.js";
import { readProgress } from "./verify-state.js";

/**
 * Brings the tree to the set that a sync was cut off on its way to, when others have been published since and much of it
 * is staged: a file that has changed again would be fetched from its beginning, and a replica whose way is longer than the
 * time between two sets would never be at its end. @returns undefined when the tree is where it was
 */
export async function finishUnfinished(
  operation: Operation,
  { head, forcePurge }: { readonly head: Head; readonly forcePurge?: boolean | undefined },
): Promise<SyncReport | undefined> {
  const { position, filter, files, opened, options } = operation;
  const found = findUnfinished(opened.tree);
  if (found === undefined || !isWorthFinishing(found, head) || isBehind(found, position)) {
    return undefined;
  }
  try {
    const { chain, lines } = await operation.readLineage(head, found);
    if (lines.at(-1)?.manifestHash !== found.manifestHash) return undefined;
    const facts = { lineage: lines, position, isTreeEmpty: opened.isEmpty, filter };
    const choice = chooseStrategy({ head: { ...head, newest: found }, ...facts });
    if (choice.kind === "none") return undefined;
    return await updateTree(operation, { head, forcePurge, lineage: { chain, lines }, choice });
  } catch (error) {
    if (!isMirrorError(error, ...OF_ITS_SET) || readJournal(files.journal) !== undefined)
      throw error;
    const { code, message } = error;
    options.runtime.log.warn("build.unfinished", { code, reason: message });
    return undefined;
  }
}

/** Nothing is to be done: what a build left is of no use, unless a verification will mend with it. */
export function dropUnfinished({ opened, files, position }: Operation): void {
  const found = findUnfinished(opened.tree);
  if (found === undefined) return;
  const isAwaited = found.purpose === "repair" && readProgress(files) !== undefined;
  if (!isAwaited) closeStaging(opened.tree, position?.tree.mtime);
}

/** A verification is at its end: what a repair left has nothing more to mend. */
export function dropRepair({ opened, position }: Operation): void {
  if (findUnfinished(opened.tree)?.purpose !== "repair") return;
  closeStaging(opened.tree, position?.tree.mtime);
}

function isWorthFinishing(found: FoundBuild, head: Head): boolean {
  const { purpose, set, stagedBytes, totalBytes } = found;
  if (purpose !== "sync" || !retainsChain(head, found)) return false;
  if (found.chain === head.newest.chain && sameSet(set, head.newest.set)) return false;
  return stagedBytes * 2 >= totalBytes || stagedBytes >= MUCH_BYTES;
}

/** A sync never goes back. */
function isBehind({ session, chain, set }: FoundBuild, position: Position | undefined): boolean {
  const isSameChain = position?.session === session && position.chain === chain;
  return isSameChain && position.set.time >= set.time;
}

const MUCH_BYTES = 256 * 1024 * 1024;

/** What a later set may not have. */
const OF_ITS_SET = [
  "DELETE_GUARD",
  "DISK_SPACE",
  "GAP",
  "LEDGER_INVALID",
  "DOCUMENT_INVALID",
  "FORMAT_INVALID",
  "TREE_DIVERGED",
] as const;
