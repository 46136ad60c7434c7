/** Looks whether what a backup read of files just written is still what they hold. */
import { equalBytes } from "../bytes/digest.js";
import { displayPath } from "../bytes/tree-path.js";
import type { MasterMirror } from "../config/master.js";
import { ConfinedTree, mtimeSeconds } from "../disk/confined.js";
import { fileStamp } from "../disk/file-io.js";
import { signFile } from "../disk/sign-file.js";
import { isMirrorError } from "../errors.js";
import { SUSPECTS_READ_MAX_BYTES } from "../limits.js";
import type { Log, Runtime } from "../runtime.js";
import type { MissedFile } from "./report.js";
import type { Suspect, Suspects } from "./suspects.js";

/**
 * Settles the suspects whose content is what their set has, and tells of those that duplicity missed. Reads no more
 * than the suspects; the more of them one look leaves, the next takes up.
 * @returns the files that are missed, until they are mended
 */
export async function lookAtSuspects(
  suspects: Suspects,
  options: {
    readonly config: MasterMirror;
    readonly runtime: Runtime;
    readonly signal: AbortSignal;
  },
): Promise<MissedFile[]> {
  const { config, runtime, signal } = options;
  const tree = openTree(config.tree);
  try {
    if (tree !== undefined) await look(tree, suspects, { runtime, signal });
  } finally {
    tree?.close();
  }
  suspects.save();
  const missed = suspects.missed.map(({ path, set }) => ({ path: displayPath(path), set }));
  tell(missed, config.name, runtime.log);
  return missed;
}

/** Whoever publishes another host's repository need not have its tree. */
function openTree(root: string): ConfinedTree | undefined {
  try {
    return ConfinedTree.open(root);
  } catch (error) {
    if (isMirrorError(error, "TREE_MISSING")) return undefined;
    throw error;
  }
}

async function look(
  tree: ConfinedTree,
  suspects: Suspects,
  { runtime, signal }: { readonly runtime: Runtime; readonly signal: AbortSignal },
): Promise<void> {
  let leftBytes = SUSPECTS_READ_MAX_BYTES;
  for (const suspect of suspects.due) {
    const ageSeconds = Math.floor(runtime.clock.now() / 1000) - suspect.mtime;
    // Whoever writes it now need not give it another time.
    if (ageSeconds === 0) continue;
    const isOver = ageSeconds < 0 || ageSeconds > SETTLED_SECONDS;
    try {
      leftBytes -= await lookAt(tree, suspect, { suspects, isOver, signal });
    } catch (error) {
      if (!isMirrorError(error, "TREE_DIVERGED", "DISK_FAILED")) throw error;
      runtime.log.debug("suspect.unreadable", { path: suspect.path, reason: error.message });
    }
    if (leftBytes < 0) return;
  }
}

/** After so long also a file server whose clock is not ours gives a file another time when it is written. */
const SETTLED_SECONDS = 10;

/** @returns how many bytes were read */
async function lookAt(
  tree: ConfinedTree,
  suspect: Suspect,
  options: { readonly suspects: Suspects; readonly isOver: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const { suspects, isOver, signal } = options;
  const { path, sizeBytes, mtime, signature } = suspect;
  const stat = tree.lstat(path);
  // With another time duplicity sees it, and a later set records it.
  const isSeen = stat?.isFile() !== true || mtimeSeconds(stat) !== mtime;
  if (isSeen) {
    suspects.judge(suspect, undefined);
    return 0;
  }
  const stamp = fileStamp(stat);
  if (stat.size !== sizeBytes) suspects.judge(suspect, stamp);
  if (stat.size !== sizeBytes || stamp === suspect.missedAs) return 0;
  const digest = await signFile(tree, path, signature.blockLength, signal);
  const isSame = equalBytes(digest, signature.digest);
  suspects.judge(suspect, isSame ? undefined : stamp);
  if (isSame && isOver) suspects.settle(path);
  return sizeBytes;
}

function tell(missed: readonly MissedFile[], mirror: string, log: Log): void {
  if (missed.length === 0) return;
  for (const { path, set } of missed.slice(0, TOLD_MAX)) {
    log.warn("file.missed", { mirror, path, set, advice: MEND_MISSED });
  }
  if (missed.length > TOLD_MAX) log.warn("files.missed", { mirror, count: missed.length });
}

/** More lines than this say nothing more. */
const TOLD_MAX = 10;

export const MEND_MISSED =
  "its content changed but not the second of its time, which duplicity cannot see: touch it, or publish with --full";
