/** Which pages of a contents table are needed. Pages hold consecutive entries in index order. */
import {
  compareTreePaths,
  isWithin,
  parentPath,
  ROOT,
  type TreePath,
  toTreePath,
} from "../bytes/tree-path.js";
import type { PageReference } from "../manifest/ledger.js";

export type PageChoice = (page: PageReference, next: PageReference | undefined) => boolean;

export const EVERY_PAGE: PageChoice = () => true;

/** Pages that may hold one of `paths`. */
export function pagesHolding(paths: Iterable<TreePath>): PageChoice {
  const wanted = [...paths].sort(compareTreePaths);
  return (page, next) => {
    const range = rangeOf(page, next);
    const path = wanted[firstFrom(wanted, range.first)];
    return path !== undefined && holds(range, path);
  };
}

/** Pages that may hold a path from `start` on and before `end`, where they are given. */
export function pagesBetween(start: TreePath | undefined, end: TreePath | undefined): PageChoice {
  return (page, next) => {
    const range = rangeOf(page, next);
    if (end !== undefined && compareTreePaths(range.first, end) >= 0) return false;
    return start === undefined || range.end === undefined || compareTreePaths(range.end, start) > 0;
  };
}

/** Pages that may hold something in or below one of `places`, or a directory that leads there. */
export function pagesBelow(places: readonly TreePath[]): PageChoice {
  const leading = new Set<TreePath>([ROOT]);
  for (const place of places) {
    for (let up = place; up !== ROOT; up = parentPath(up)) leading.add(up);
  }
  const holdsLeading = pagesHolding(leading);
  return (page, next) => {
    const { first } = rangeOf(page, next);
    return places.some((place) => isWithin(first, place)) || holdsLeading(page, next);
  };
}

interface PageRange {
  readonly first: TreePath;
  readonly end: TreePath | undefined;
}

function rangeOf(page: PageReference, next: PageReference | undefined): PageRange {
  return {
    first: toTreePath(page.first),
    end: next === undefined ? undefined : toTreePath(next.first),
  };
}

/** Which of the sorted `paths` is the first that does not lie before `path`. */
function firstFrom(paths: readonly TreePath[], path: TreePath): number {
  let low = 0;
  let high = paths.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareTreePaths(paths[middle] ?? path, path) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function holds({ first, end }: PageRange, path: TreePath): boolean {
  if (compareTreePaths(path, first) < 0) return false;
  return end === undefined || compareTreePaths(path, end) < 0;
}
