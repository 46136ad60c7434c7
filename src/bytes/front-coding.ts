/** Paths in index order, each as what it shares with the one before it and what it adds. */
import { MirrorError } from "../errors.js";
import { NAME_MAX_BYTES, PATH_MAX_BYTES } from "../limits.js";
import type { BinaryReader } from "./binary-reader.js";
import { displayPath, type TreePath, toTreePath } from "./tree-path.js";

/** How many bytes `path` begins with that `previous` begins with too. */
export function sharedSize(previous: TreePath, path: TreePath): number {
  const most = Math.min(previous.length, path.length);
  let size = 0;
  while (size < most && previous.charCodeAt(size) === path.charCodeAt(size)) size++;
  return size;
}

/** Reads such paths, one after the other. */
export class FrontCodedPaths {
  /** Of the last path, with room for more than another may have. */
  readonly #bytes = Buffer.allocUnsafe(2 * PATH_MAX_BYTES);
  #last: TreePath | undefined;
  /** Where its last component begins. */
  #nameStart = 0;

  /**
   * The path that shares `shared` bytes with the last, the most it can, and comes after it; `added` bytes, PATH_MAX_BYTES
   * at most, are taken from `texts`.
   * @throws MirrorError DOCUMENT_INVALID, PATH_REFUSED
   */
  next(shared: number, added: number, texts: BinaryReader): TreePath {
    const last = this.#last;
    if (last === undefined ? shared > 0 : shared > last.length || added === 0) misplaced(last);
    texts.copy(added, this.#bytes, shared);
    if (last !== undefined && !comesLater(last, shared, this.#bytes)) misplaced(last);
    const path = this.#bytes.toString("latin1", 0, shared + added);
    this.#last = last !== undefined && this.#isSibling(path, shared) ? path : this.#enter(path);
    return this.#last;
  }

  /** What may be anything is checked as a whole. */
  #enter(latin1: string): TreePath {
    const path = toTreePath(latin1);
    this.#nameStart = path.lastIndexOf("/") + 1;
    return path;
  }

  /** Whether `path` differs from the last, which is checked, in the end of its name only, and is a path at a glance. */
  #isSibling(path: string, shared: number): path is TreePath {
    const start = this.#nameStart;
    const end = path.length;
    if (shared < start || end - start > NAME_MAX_BYTES || end > PATH_MAX_BYTES) return false;
    if (this.#bytes[start] === DOT) return false;
    for (let at = shared; at < end; at++) {
      const byte = this.#bytes[at];
      if (byte === SLASH || byte === 0) return false;
    }
    return true;
  }
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** Index order: a path before those it begins, `/` before every other byte (see `compareTreePaths`). */
function comesLater(previous: TreePath, shared: number, bytes: Uint8Array): boolean {
  if (shared === previous.length) return true;
  const before = previous.charCodeAt(shared);
  const after = bytes[shared] ?? 0;
  return before !== after && after !== SLASH && (before === SLASH || after > before);
}

function misplaced(previous: TreePath | undefined): never {
  const place = previous === undefined ? "at the beginning" : `after ${displayPath(previous)}`;
  throw new MirrorError("DOCUMENT_INVALID", `a path ${place} is out of order or badly coded`);
}
