/** Whether two trees on this machine are the same, as far as duplicity can tell. */
import { displayPath, type TreePath } from "../bytes/tree-path.js";
import { ConfinedTree } from "../disk/confined.js";
import { closeFile, readExactly } from "../disk/file-io.js";
import { type ScannedEntry, scanTree } from "../disk/scan.js";

/** The paths at which they differ, in type, mode, whole seconds of mtime, link target or content. */
export function compareTrees(left: string, right: string): string[] {
  const trees = [ConfinedTree.open(left), ConfinedTree.open(right)] as const;
  try {
    const [ours, theirs] = trees.map((tree) => readEntries(tree));
    if (ours === undefined || theirs === undefined) return [];
    const missing = [...theirs.keys()].filter((path) => !ours.has(path));
    const different = [...ours].filter(([path, stat]) => {
      const other = theirs.get(path);
      return other === undefined || !isSame(trees, path, [stat, other]);
    });
    return [...missing, ...different.map(([path]) => path)].map(displayPath);
  } finally {
    for (const tree of trees) tree.close();
  }
}

type Stats = ScannedEntry["stat"];
type Pair<T> = readonly [T, T];

function readEntries(tree: ConfinedTree): Map<TreePath, Stats> {
  return new Map(Array.from(scanTree(tree), ({ path, stat }) => [path, stat]));
}

function isSame(trees: Pair<ConfinedTree>, path: TreePath, [a, b]: Pair<Stats>): boolean {
  if (a.mode !== b.mode) return false;
  if (Math.floor(a.mtimeMs / 1000) !== Math.floor(b.mtimeMs / 1000)) return false;
  if (a.isSymbolicLink()) return trees[0].readLink(path) === trees[1].readLink(path);
  if (!a.isFile()) return true;
  return a.size === b.size && hasSameContent(trees, path, a.size);
}

const CHUNK_BYTES = 1024 * 1024;

function hasSameContent(trees: Pair<ConfinedTree>, path: TreePath, sizeBytes: number): boolean {
  const files = trees.map((tree) => tree.openFile(path));
  try {
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
      const size = Math.min(CHUNK_BYTES, sizeBytes - at);
      const [a, b] = files.map((file) => readExactly(file, at, size));
      if (a === undefined || b === undefined || Buffer.compare(a, b) !== 0) return false;
    }
    return true;
  } finally {
    for (const file of files) closeFile(file);
  }
}
