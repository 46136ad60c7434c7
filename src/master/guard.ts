/** Looks at the tree before it is backed up: a backup of a tree that is not there would tell every replica to delete. */
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { childPath, ROOT, type TreePath } from "../bytes/tree-path.js";
import { ConfinedTree } from "../disk/confined.js";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { fileIdentity, readFileIfPresent } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";

export interface GuardOptions {
  readonly tree: string;
  readonly stateDirectory: string;
  /** A file of the tree that is there only while the tree is mounted. */
  readonly marker?: string;
  readonly maxShrinkPercent: number;
  readonly signal: AbortSignal;
}

/** Our own folder in a tree that is also a replica's. */
export const OWN_FOLDER = ".dupmirror";

/**
 * @returns how many entries the tree has, for `rememberCount` once they are backed up
 * @throws MirrorError TREE_MISSING, TREE_EMPTY, TREE_SHRUNK
 */
export async function guardTree(options: GuardOptions): Promise<number> {
  const { tree, marker } = options;
  if (marker !== undefined && fileIdentity(path.join(tree, marker)) === undefined) {
    throw new MirrorError(
      "TREE_MISSING",
      `tree ${tree}: its marker ${marker} is not there: nothing was backed up; is the tree mounted?`,
    );
  }
  const count = await countEntries(options);
  if (count <= (marker === undefined ? 0 : 1)) {
    throw new MirrorError(
      "TREE_EMPTY",
      `tree ${tree}: it is empty: nothing was backed up; is the tree mounted?`,
    );
  }
  guardShrinking(options, count);
  return count;
}

/** Later counts are compared with this one. */
export function rememberCount(stateDirectory: string, count: number): void {
  makeFolder(stateDirectory);
  replaceFile(countPath(stateDirectory), Buffer.from(`${count}\n`));
}

function guardShrinking(options: GuardOptions, count: number): void {
  const { tree, stateDirectory, maxShrinkPercent } = options;
  const bytes = readFileIfPresent(countPath(stateDirectory));
  if (bytes === undefined) return;
  const before = Number(Buffer.from(bytes).toString());
  if (count >= before * (1 - maxShrinkPercent / 100)) return;
  throw new MirrorError(
    "TREE_SHRUNK",
    `tree ${tree}: ${count} entries, ${before} when it was last backed up: nothing was backed up; if this is ` +
      `as it should be, raise guard.maxShrinkPercent (${maxShrinkPercent}) for one cycle, or remove ${countPath(stateDirectory)}`,
  );
}

/** All below the root but our own folder; a marker alone is no tree. */
async function countEntries({ tree: root, signal }: GuardOptions): Promise<number> {
  const tree = ConfinedTree.open(root);
  try {
    let count = 0;
    const folders: TreePath[] = [ROOT];
    let listed = 0;
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const entries = listIfPresent(tree, folder);
      const below = entries.filter(({ isDirectory }) => isDirectory);
      folders.push(...below.map(({ name }) => childPath(folder, name)));
      count += entries.length;
      listed += 1;
      if (listed % FOLDERS_AT_ONCE === 0) await setImmediate();
      signal.throwIfAborted();
    }
    return count;
  } finally {
    tree.close();
  }
}

/** What vanishes or cannot be read meanwhile is duplicity's to report. */
function listIfPresent(
  tree: ConfinedTree,
  folder: TreePath,
): { readonly name: string; readonly isDirectory: boolean }[] {
  try {
    const entries = tree.listTyped(folder);
    return folder === ROOT ? entries.filter(({ name }) => name !== OWN_FOLDER) : entries;
  } catch (error) {
    if (folder !== ROOT && isMirrorError(error, "TREE_DIVERGED", "DISK_FAILED")) return [];
    throw error;
  }
}

/** The HTTP server works on while a large tree is counted. */
const FOLDERS_AT_ONCE = 64;

function countPath(stateDirectory: string): string {
  return path.join(stateDirectory, "tree-entries");
}
