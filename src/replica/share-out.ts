/** Who makes what when several build the same. */
import type { TreePath } from "../bytes/tree-path.js";

/**
 * The number, from 0, of the one of `count` builders that makes what lies in a directory. All versions of a file are made by the same one,
 * and no two wait for each other where a file system lets one at a time into a directory.
 */
export function builderOf(directory: TreePath, count: number): number {
  return hash(directory) % count;
}

/** FNV-1a, 32 bits. */
function hash(latin1: string): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < latin1.length; at++) {
    state = Math.imul(state ^ latin1.charCodeAt(at), 0x01000193);
  }
  return state >>> 0;
}
