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
  const wanted = [...paths];
  return (page, next) => {
    const range = rangeOf(page, next);
    return wanted.some((path) => holds(range, path));
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

function holds({ first, end }: PageRange, path: TreePath): boolean {
  if (compareTreePaths(path, first) < 0) return false;
  return end === undefined || compareTreePaths(path, end) < 0;
}
