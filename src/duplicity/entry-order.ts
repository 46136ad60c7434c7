/** The order that the entries of a set keep, over all its volumes (duplicity-format 3.2, 3.3). */
import { compareTreePaths, displayPath, type TreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";

/** An entry as far as its place in the order goes; `piece` only for files that come in pieces. */
export interface OrderedEntry {
  readonly kind: string;
  readonly path: TreePath;
  readonly piece?: number | undefined;
}

/** Told of every entry of a set, it throws MirrorError FORMAT_INVALID at the first that is out of order. */
export class EntryOrder {
  #last: OrderedEntry | undefined;

  /** `what` names the stream in messages. */
  check(entry: OrderedEntry, what: string): void {
    const last = this.#last;
    this.#last = entry;
    const { path, piece } = entry;
    const order = last === undefined ? 1 : compareTreePaths(path, last.path);
    if (last !== undefined && order === 0 && piece !== undefined && last.piece !== undefined) {
      if (entry.kind !== last.kind || piece !== last.piece + 1) {
        refuse(what, `piece ${piece} of ${displayPath(path)} follows its piece ${last.piece}`);
      }
      return;
    }
    if (last !== undefined && order <= 0) {
      // Python before 3.8 wrote `?` for bytes that are not UTF-8, which loses names (3.4).
      refuse(
        what,
        `entry ${displayPath(path)} follows ${displayPath(last.path)}, which is out of order`,
      );
    }
    if (piece !== undefined && piece !== 1) {
      refuse(what, `piece ${piece} of ${displayPath(path)} is the first that is there`);
    }
  }
}

function refuse(what: string, why: string): never {
  throw new MirrorError("FORMAT_INVALID", `${what}: ${why}`);
}
