/**
 * The working folder `.dupmirror` in the root of the tree: same file system, so that what is built
 * there moves into the tree by rename. It exists while a cycle works, and while a build is unfinished.
 */
import { childPath, ROOT, type TreePath, toTreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { mtimeSeconds } from "../disk/confined.js";
import { holdsTime } from "../disk/held-time.js";

export const WORK = toTreePath(".dupmirror");
/** Below it every new object has the path that it will have in the tree, as it will be there. */
export const STAGE = toTreePath(".dupmirror/stage");
/** Versions of files that a later set changes again, below it by their paths. */
export const VERSIONS = toTreePath(".dupmirror/versions");
/** What the stage is being filled for (unfinished.ts). */
export const RECORD = toTreePath(".dupmirror/build");
/** The file that a builder is making, of as many as build. */
export function newFile(builder: number): TreePath {
  return childPath(WORK, `new-${builder}`);
}
/** A directory that is not yet in the tree. */
export const NEW_DIRECTORY = toTreePath(".dupmirror/new-directory");
/** Where directories go that something else replaces. */
export const TRASH = toTreePath(".dupmirror/trash");

/** Makes an empty working folder, or empties all but the stage; the root's time is kept for `closeStaging`. */
export function openStaging(tree: ConfinedTree, { isKept }: { readonly isKept: boolean }): void {
  if (isKept) {
    for (const name of tree.list(WORK)) {
      const path = childPath(WORK, name);
      if (!KEPT.has(path)) tree.removeTree(path);
    }
    return;
  }
  closeStaging(tree);
  const rootTime = rootMtime(tree);
  tree.makeDirectory(WORK, 0o700);
  tree.setAttributes(ROOT, { mtime: rootTime });
  tree.writeFile(ROOT_TIME, new TextEncoder().encode(String(rootTime)), { mode: 0o600 });
  tree.makeDirectory(STAGE, 0o700);
}

/** Gives the root the time that it had before there was a working folder, as in `closeStaging`. */
export function restoreRootTime(tree: ConfinedTree, known: number | undefined): void {
  const rootTime = known ?? rememberedTime(tree);
  if (!holdsTime(rootMtime(tree), rootTime)) tree.setAttributes(ROOT, { mtime: rootTime });
}

/** Whether a stage of our own is there: nobody else may enter the folder that it is in. */
export function hasStage(tree: ConfinedTree): boolean {
  const work = tree.lstat(WORK);
  if (work?.isDirectory() !== true || tree.lstat(STAGE)?.isDirectory() !== true) return false;
  return work.uid === process.geteuid?.() && (work.mode & 0o077) === 0;
}

/**
 * Removes the working folder, whoever left it, and gives the root the time it had before: `known` when the
 * caller knows, else what the folder tells.
 */
export function closeStaging(tree: ConfinedTree, known?: number): void {
  const isThere = tree.lstat(WORK) !== undefined;
  const rootTime = known ?? (isThere ? rememberedTime(tree) : undefined);
  if (isThere) tree.removeTree(WORK);
  if (rootTime === undefined || holdsTime(rootMtime(tree), rootTime)) return;
  tree.setAttributes(ROOT, { mtime: rootTime });
}

function rememberedTime(tree: ConfinedTree): number {
  const remembered = Number(tree.readSmallFile(ROOT_TIME) ?? Number.NaN);
  return Number.isSafeInteger(remembered) ? remembered : rootMtime(tree);
}

const ROOT_TIME = toTreePath(".dupmirror/root-time");
const KEPT: ReadonlySet<TreePath> = new Set([STAGE, RECORD, ROOT_TIME]);

/** The time of the tree's root, whole seconds. */
export function rootMtime(tree: ConfinedTree): number {
  const stat = tree.lstat(ROOT);
  if (stat === undefined) throw new RangeError("a tree has a root");
  return mtimeSeconds(stat);
}
