/** Joins the entries of a set's volumes, whose files may come in pieces, to entries of contents (duplicity-format 3.3). */

import assert from "node:assert/strict";
import { displayPath, ROOT, type TreePath } from "../bytes/tree-path.js";
import { type DifftarEntry, DifftarReader } from "../duplicity/difftar.js";
import { EntryOrder } from "../duplicity/entry-order.js";
import { MirrorError } from "../errors.js";
import { DeltaReader } from "../librsync/delta.js";
import { FILE_RUNS_MAX } from "../limits.js";
import type { Attributes, ContentsEntry, DataRun } from "./contents.js";

/** Fed the volumes of a set in their order. Throws MirrorError FORMAT_INVALID, PATH_REFUSED and UNSUPPORTED. */
export class EntryJoiner {
  readonly #isIncrement: boolean;
  readonly #order = new EntryOrder();
  #volume = 0;
  #reader = new DifftarReader("no volume", this.#order);
  #current: Draft | undefined;

  constructor(isIncrement: boolean) {
    this.#isIncrement = isIncrement;
  }

  /** To be called before a volume's bytes. */
  beginVolume(number: number): void {
    assert(number > this.#volume, "volumes come in their order");
    this.#volume = number;
    this.#reader = new DifftarReader(`volume ${number}`, this.#order);
  }

  /** The entries that are complete with `chunk`, the next part of the volume's tar. */
  push(chunk: Uint8Array): ContentsEntry[] {
    const complete: ContentsEntry[] = [];
    for (const event of this.#reader.push(chunk)) {
      if (event.kind === "entry") this.#addEntry(event.entry, complete);
      else if (event.kind === "data") this.#current?.delta?.push(event.bytes);
    }
    return complete;
  }

  /** To be called after a volume's bytes; the last entry may go on in the next volume. */
  endVolume(): void {
    this.#reader.finish();
  }

  /** The set's last entry; nothing in a set without entries. */
  finish(): ContentsEntry[] {
    return this.#current === undefined ? [] : [settle(this.#current)];
  }

  #addEntry(entry: DifftarEntry, complete: ContentsEntry[]): void {
    if (entry.piece === undefined || entry.piece === 1) {
      if (this.#current !== undefined) complete.push(settle(this.#current));
      this.#checkPossible(entry);
      this.#current = {
        first: entry,
        runs: [],
        delta: entry.kind === "diff" ? new DeltaScan() : undefined,
      };
    }
    const current = this.#current;
    assert(current !== undefined, "the order makes a first piece come first");
    if (!sameAttributes(current.first.attributes, entry.attributes)) {
      // What a resumed backup makes of a file that changed in between (10.2).
      refuse(
        `volume ${this.#volume}: pieces of ${displayPath(entry.path)} differ in their attributes`,
      );
    }
    addRun(current.runs, this.#volume, entry);
    if (current.runs.length > FILE_RUNS_MAX) {
      refuse(`volume ${this.#volume}: ${displayPath(entry.path)} has pieces of too many sizes`);
    }
  }

  #checkPossible(entry: DifftarEntry): void {
    if (!this.#isIncrement && entry.kind !== "snapshot") {
      refuse(`volume ${this.#volume}: ${displayPath(entry.path)} is ${entry.kind} in a full set`);
    }
    if (entry.path === ROOT && entry.object.type !== "directory") {
      throw new MirrorError(
        "UNSUPPORTED",
        `the backup's source is a ${entry.object.type}: only directories are mirrored`,
      );
    }
  }
}

/** An entry whose further pieces may follow. */
interface Draft {
  readonly first: DifftarEntry;
  readonly runs: DataRun[];
  readonly delta: DeltaScan | undefined;
}

/** Reads a delta for what it makes, not for its data. */
class DeltaScan {
  readonly #reader = new DeltaReader();
  #sizeBytes = 0;
  #isPrefix = true;
  #copies = false;

  push(bytes: Uint8Array): void {
    for (const command of this.#reader.push(bytes)) {
      if (command.kind === "literal") {
        this.#isPrefix = false;
        this.#sizeBytes += command.bytes.length;
      } else {
        this.#copies = true;
        this.#isPrefix &&= command.position === this.#sizeBytes;
        this.#sizeBytes += command.sizeBytes;
      }
    }
  }

  /** The result's size, and what of the base it takes: nothing but its beginning, nothing at all, or something. */
  finish(path: TreePath): { sizeBytes: number; kind: "prefix" | "rewrite" | "diff" } {
    this.#reader.finish();
    if (this.#sizeBytes > Number.MAX_SAFE_INTEGER)
      refuse(`the delta of ${displayPath(path)} makes more than 2^53 bytes`);
    const kind = this.#isPrefix ? "prefix" : this.#copies ? "diff" : "rewrite";
    return { sizeBytes: this.#sizeBytes, kind };
  }
}

function settle({ first, runs, delta }: Draft): ContentsEntry {
  const { kind, path, attributes, object } = first;
  if (kind === "deleted") return { kind, path };
  if (object.type !== "file") return { kind: "object", path, attributes, object };
  if (delta === undefined) {
    const sizeBytes = runs.reduce((sum, run) => sum + run.pieceCount * run.pieceSizeBytes, 0);
    return { kind: "snapshot", path, attributes, sizeBytes, data: runs };
  }
  const result = delta.finish(path);
  const data = result.kind === "prefix" ? [] : runs;
  return { ...result, path, attributes, data };
}

/** Pieces of one size at one distance make one run; a last piece may be empty and then is none. */
function addRun(runs: DataRun[], volume: number, { dataOffset, sizeBytes }: DifftarEntry): void {
  if (sizeBytes === 0) return;
  const last = runs.at(-1);
  if (last?.volume === volume && last.pieceSizeBytes === sizeBytes) {
    const lastOffset = last.offset + (last.pieceCount - 1) * last.strideBytes;
    const strideBytes = dataOffset - lastOffset;
    if (last.pieceCount === 1 || strideBytes === last.strideBytes) {
      runs[runs.length - 1] = { ...last, pieceCount: last.pieceCount + 1, strideBytes };
      return;
    }
  }
  runs.push({
    volume,
    offset: dataOffset,
    pieceSizeBytes: sizeBytes,
    pieceCount: 1,
    strideBytes: sizeBytes,
  });
}

function sameAttributes(a: Attributes, b: Attributes): boolean {
  return (
    a === b ||
    (a.mode === b.mode &&
      a.uid === b.uid &&
      a.gid === b.gid &&
      a.mtime === b.mtime &&
      a.userName === b.userName &&
      a.groupName === b.groupName)
  );
}

function refuse(why: string): never {
  throw new MirrorError("FORMAT_INVALID", why);
}
