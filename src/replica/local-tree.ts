/** The tree as planning sees it. */
import { isWithin, type TreePath } from "../bytes/tree-path.js";
import { type ConfinedTree, mtimeSeconds, type Stats } from "../disk/confined.js";
import { fileIdentity } from "../disk/files.js";
import { scanTree } from "../disk/scan.js";
import type { LocalObject, LocalPath } from "./plan.js";
import type { TreeIdentity } from "./position.js";
import { WORK } from "./staging.js";

export function lookUp(tree: ConfinedTree, path: TreePath): LocalObject | undefined {
  const stat = tree.lstat(path);
  return stat === undefined ? undefined : describeLocal(tree, path, stat);
}

/** All objects of the tree in index order, or those after a path, our working folder apart. */
export function* scanLocal(tree: ConfinedTree, after?: TreePath): Generator<LocalPath> {
  for (const { path, stat } of scanTree(tree, { skip: (path) => isWithin(path, WORK), after })) {
    yield { path, object: describeLocal(tree, path, stat) };
  }
}

/** Which folder this is, whatever its name: what a position is bound to. */
export function identifyTree(root: string): Omit<TreeIdentity, "mtime"> | undefined {
  const identity = fileIdentity(root);
  if (identity === undefined) return undefined;
  return { inode: String(identity.inode), birth: String(identity.birthNs) };
}

export function describeLocal(tree: ConfinedTree, path: TreePath, stat: Stats): LocalObject {
  const common = {
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtime: mtimeSeconds(stat),
    sizeBytes: stat.size,
  };
  if (stat.isFile()) return { ...common, type: "file" };
  if (stat.isDirectory()) return { ...common, type: "directory" };
  if (stat.isSymbolicLink()) return { ...common, type: "symlink", target: tree.readLink(path) };
  if (stat.isFIFO()) return { ...common, type: "fifo" };
  if (stat.isSocket()) return { ...common, type: "socket" };
  const device = deviceNumbers(stat.rdev);
  return { ...common, type: stat.isBlockDevice() ? "blockDevice" : "characterDevice", device };
}

/** Linux: eight low bits of the minor number, twelve bits major, the rest of the minor. */
function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
