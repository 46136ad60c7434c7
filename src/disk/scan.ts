import type { Stats } from "node:fs";
import { childPath, compareTreePaths, isWithin, ROOT, type TreePath } from "../bytes/tree-path.js";
import { isMirrorError } from "../errors.js";
import type { ConfinedTree } from "./confined.js";

/** What the scan found at a path. */
export interface ScannedEntry {
  readonly path: TreePath;
  readonly stat: Stats;
}

/**
 * Every entry of the tree in index order, the root first: names are sorted by bytes and a directory comes
 * before what it holds (duplicity-format 3.2). Holds one listing for each level. What vanishes meanwhile is
 * left out; what `skip` names is left out with all below it, and so is all up to and with `after`.
 */
export function* scanTree(
  tree: ConfinedTree,
  options: {
    readonly skip?: (path: TreePath) => boolean;
    readonly after?: TreePath | undefined;
  } = {},
): Generator<ScannedEntry> {
  const { after } = options;
  const skip = options.skip ?? (() => false);
  const isPassed = (path: TreePath): boolean =>
    after !== undefined && compareTreePaths(path, after) <= 0;
  const levels: Iterator<TreePath>[] = [[ROOT].values()];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const next = level.next();
    if (next.done === true) {
      levels.pop();
      continue;
    }
    const path = next.value;
    const isBehind = isPassed(path) && !isWithin(after ?? ROOT, path);
    const stat = isBehind || skip(path) ? undefined : tree.lstat(path);
    if (stat === undefined) continue;
    if (!isPassed(path)) yield { path, stat };
    if (stat.isDirectory()) levels.push(childPaths(tree, path));
  }
}

/** In code unit order, which for latin1 strings is the order of bytes. */
function* childPaths(tree: ConfinedTree, directory: TreePath): Generator<TreePath> {
  for (const name of namesIn(tree, directory).sort()) yield childPath(directory, name);
}

function namesIn(tree: ConfinedTree, directory: TreePath): string[] {
  try {
    return tree.list(directory);
  } catch (error) {
    if (isMirrorError(error, "TREE_DIVERGED")) return [];
    throw error;
  }
}
