/** Paths in index order, each as what it shares with the one before it and what it adds. */
import { MirrorError } from "../errors.js";
import { displayPath, type TreePath, toTreePath } from "./tree-path.js";

/** How many bytes `path` begins with that `previous` begins with too. */
export function sharedSize(previous: TreePath, path: TreePath): number {
  const most = Math.min(previous.length, path.length);
  let size = 0;
  while (size < most && previous.charCodeAt(size) === path.charCodeAt(size)) size++;
  return size;
}

/**
 * The path that shares `size` bytes with `previous`, the most it can, and comes after it.
 * @throws MirrorError DOCUMENT_INVALID, PATH_REFUSED
 */
export function continuePath(previous: TreePath, size: number, added: string): TreePath {
  const isLater = size <= previous.length && added !== "" && comesLater(previous, size, added);
  if (isLater) return toTreePath(previous.slice(0, size) + added);
  const place = `after ${displayPath(previous)}`;
  throw new MirrorError("DOCUMENT_INVALID", `a path ${place} is out of order or badly coded`);
}

const SLASH = 0x2f;

/** Index order: a path before those it begins, `/` before every other byte (see `compareTreePaths`). */
function comesLater(previous: TreePath, size: number, added: string): boolean {
  if (size === previous.length) return true;
  const before = previous.charCodeAt(size);
  const after = added.charCodeAt(0);
  return before !== after && after !== SLASH && (before === SLASH || after > before);
}
