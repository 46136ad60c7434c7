/** Reads the entries of a volume (duplicity-format 3.3). */
import { displayPath, ROOT, type TreePath, toTreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";
import { EntryOrder } from "./entry-order.js";
import { TarReader } from "./tar.js";
import type { TarAttributes, TarHeader, TarObject } from "./tar-header.js";

export interface DifftarEntry {
  /** `snapshot`: the whole new object; `diff`: a file's librsync delta; `deleted`: the object is gone. */
  readonly kind: "snapshot" | "diff" | "deleted";
  readonly path: TreePath;
  /** From 1; only for a file, or delta, that comes in pieces. */
  readonly piece: number | undefined;
  readonly object: TarObject;
  readonly attributes: TarAttributes;
  /** Where the data begins in the volume's tar, and how much it is. */
  readonly dataOffset: number;
  readonly sizeBytes: number;
}

export type DifftarEvent =
  | { readonly kind: "entry"; readonly entry: DifftarEntry }
  /** The next part of the entry's data: a view of the piece that was pushed. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "end" };

/**
 * Reads one volume, given in pieces of any size. Throws MirrorError FORMAT_INVALID, and PATH_REFUSED for a path
 * that leads out of the tree.
 */
export class DifftarReader {
  readonly #what: string;
  readonly #order: EntryOrder;
  readonly #tar: TarReader;

  /** `what` names the volume in messages; the volumes of a set, in their order, share one `order`. */
  constructor(what: string, order = new EntryOrder()) {
    this.#what = what;
    this.#order = order;
    this.#tar = new TarReader(what);
  }

  /** What `chunk` completes. */
  push(chunk: Uint8Array): readonly DifftarEvent[] {
    return this.#tar.push(chunk).map((event) => {
      if (event.kind !== "entry") return event;
      const entry = interpret(event.header, event.dataOffset, this.#what);
      this.#order.check(entry, this.#what);
      return { kind: "entry", entry };
    });
  }

  /** To be called when nothing follows. */
  finish(): void {
    this.#tar.finish();
  }
}

/** Splits `<kind>/<path>`; the path may look like another such name, and the root is `` or `.`. */
export function splitEntryName(name: string, what: string): { kind: string; rest: string } {
  const slash = name.indexOf("/");
  if (slash < 0) refuse(what, name, "has no path");
  return { kind: name.slice(0, slash), rest: name.slice(slash + 1) };
}

/** The path of an entry: one trailing slash does not count. @throws MirrorError PATH_REFUSED */
export function entryPath(rest: string): TreePath {
  const path = rest.endsWith("/") ? rest.slice(0, -1) : rest;
  return path === "." ? ROOT : toTreePath(path);
}

/** Checks what an entry `deleted/<path>` may be. */
export function checkDeletion(header: TarHeader, path: TreePath, what: string): void {
  if (path === ROOT) refuse(what, header.name, "would delete the root");
  if (header.object.type !== "file" || header.sizeBytes !== 0) {
    refuse(what, header.name, "is a deletion with content");
  }
}

function interpret(header: TarHeader, dataOffset: number, what: string): DifftarEntry {
  const { kind, rest } = splitEntryName(header.name, what);
  const { object, attributes, sizeBytes } = header;
  const data = { object, attributes, dataOffset, sizeBytes };
  switch (kind) {
    case "snapshot":
      return { kind, path: entryPath(rest), piece: undefined, ...data };
    case "diff":
      checkFile(header, what);
      return { kind, path: entryPath(rest), piece: undefined, ...data };
    case "deleted": {
      const path = entryPath(rest);
      checkDeletion(header, path, what);
      return { kind, path, piece: undefined, ...data };
    }
    case "multivol_snapshot":
    case "multivol_diff": {
      checkFile(header, what);
      const slash = rest.lastIndexOf("/");
      const path = entryPath(rest.slice(0, Math.max(0, slash)));
      const piece = pieceNumber(rest.slice(slash + 1), header, what);
      return { kind: kind === "multivol_diff" ? "diff" : "snapshot", path, piece, ...data };
    }
    default:
      return refuse(what, header.name, "is of an unknown kind");
  }
}

function checkFile(header: TarHeader, what: string): void {
  if (header.object.type !== "file")
    refuse(what, header.name, `is a ${header.object.type}, not a file`);
}

function pieceNumber(text: string, header: TarHeader, what: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) refuse(what, header.name, "has no number of a piece");
  return Number(text);
}

function refuse(what: string, name: string, why: string): never {
  throw new MirrorError("FORMAT_INVALID", `${what}: entry ${displayPath(name)} ${why}`);
}
