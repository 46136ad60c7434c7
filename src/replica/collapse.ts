/**
 * Several sets as one: the entries of each path, over all sets, reduced to those that still matter
 * (duplicity-format 4.3). Pure; memory is one entry per set.
 */
import { compareTreePaths, displayPath, type TreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";
import type { ContentsEntry } from "../manifest/contents.js";

/** What all sets together ask of one path: the surviving entries, oldest first, never empty. */
export interface Collapsed {
  readonly path: TreePath;
  readonly survivors: readonly Survivor[];
}

export interface Survivor {
  /** Which of the merged sets, from 0. */
  readonly set: number;
  /** Which entry of that set, from 0. */
  readonly ordinal: number;
  readonly entry: ContentsEntry;
}

/**
 * Merges sets, oldest first, each in index order. The first survivor of a path is either complete
 * (`snapshot`, `object`, `deleted`) or builds on what the replica has (`diff`, `prefix`).
 * @throws MirrorError DOCUMENT_INVALID when a change follows something that is not a regular file
 */
export function* collapseSets(
  sets: readonly Iterable<ContentsEntry>[],
): Generator<Collapsed, void, undefined> {
  const heap = new CursorHeap();
  sets.forEach((entries, set) => heap.push(new Cursor(set, entries[Symbol.iterator]())));
  for (let top = heap.top(); top !== undefined; top = heap.top()) {
    const { path } = top.entry;
    const found = [survivorAt(top)];
    heap.advanceTop();
    for (let next = heap.topAt(path); next !== undefined; next = heap.topAt(path)) {
      found.push(survivorAt(next));
      heap.advanceTop();
    }
    yield { path, survivors: survivorsOf(path, found) };
  }
}

/** Whether an entry changes what is there instead of replacing it. */
export function buildsOnPrevious(entry: ContentsEntry): boolean {
  return entry.kind === "diff" || entry.kind === "prefix";
}

function survivorAt({ set, ordinal, entry }: Cursor): Survivor {
  return { set, ordinal, entry };
}

function survivorsOf(path: TreePath, found: readonly Survivor[]): readonly Survivor[] {
  if (found.length === 1) return found;
  let start = found.length - 1;
  while (start > 0 && isChange(found[start])) start--;
  const survivors = found.slice(start);
  const first = survivors[0]?.entry.kind;
  if (survivors.length > 1 && (first === "deleted" || first === "object")) {
    throw new MirrorError(
      "DOCUMENT_INVALID",
      `contents change ${displayPath(path)}, which is no regular file in the set before`,
    );
  }
  return survivors;
}

function isChange(survivor: Survivor | undefined): boolean {
  return survivor !== undefined && buildsOnPrevious(survivor.entry);
}

/** A place in one set's entries. */
class Cursor {
  readonly set: number;
  ordinal = -1;
  #current: ContentsEntry | undefined;
  readonly #entries: Iterator<ContentsEntry>;

  constructor(set: number, entries: Iterator<ContentsEntry>) {
    this.set = set;
    this.#entries = entries;
    this.advance();
  }

  get entry(): ContentsEntry {
    if (this.#current === undefined) throw new RangeError("cursor is at its end");
    return this.#current;
  }

  get ended(): boolean {
    return this.#current === undefined;
  }

  advance(): void {
    const next = this.#entries.next();
    this.#current = next.done === true ? undefined : next.value;
    this.ordinal++;
  }
}

/** A binary heap of cursors: smallest path first, of equal paths the oldest set. */
class CursorHeap {
  readonly #cursors: Cursor[] = [];

  push(cursor: Cursor): void {
    if (cursor.ended) return;
    const cursors = this.#cursors;
    let at = cursors.push(cursor) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = cursors[above];
      if (parent === undefined || !precedes(cursor, parent)) break;
      cursors[at] = parent;
      at = above;
    }
    cursors[at] = cursor;
  }

  top(): Cursor | undefined {
    return this.#cursors[0];
  }

  /** The top cursor, if it stands at `path`. */
  topAt(path: TreePath): Cursor | undefined {
    const top = this.#cursors[0];
    return top?.entry.path === path ? top : undefined;
  }

  /** A full set's next entry mostly comes before those of all increments: it stays where it is. */
  advanceTop(): void {
    const cursors = this.#cursors;
    const top = cursors[0];
    if (top === undefined) return;
    top.advance();
    const next = top.ended ? cursors.pop() : top;
    if (next !== undefined && cursors.length > 0) this.#sink(next);
  }

  #sink(cursor: Cursor): void {
    const cursors = this.#cursors;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const lower = smaller(cursors, left, left + 1);
      const child = cursors[lower];
      if (child === undefined || !precedes(child, cursor)) break;
      cursors[at] = child;
      at = lower;
    }
    cursors[at] = cursor;
  }
}

function smaller(cursors: readonly Cursor[], left: number, right: number): number {
  const a = cursors[left];
  const b = cursors[right];
  return a !== undefined && b !== undefined && precedes(b, a) ? right : left;
}

function precedes(a: Cursor, b: Cursor): boolean {
  const order = compareTreePaths(a.entry.path, b.entry.path);
  return order < 0 || (order === 0 && a.set < b.set);
}
