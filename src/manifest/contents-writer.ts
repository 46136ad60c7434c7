/** Writes a page of contents, entry by entry. */
import assert from "node:assert/strict";
import { BinaryWriter } from "../bytes/binary-writer.js";
import { sharedSize } from "../bytes/front-coding.js";
import { compareTreePaths, type TreePath } from "../bytes/tree-path.js";
import { CONTENTS_PAGE_ENTRIES } from "../limits.js";
import type { Attributes, ContentsEntry, DataRun, FileEntry, SpecialObject } from "./contents.js";
import {
  CONTENTS_VERSION,
  DIGEST_SIZE_BYTES,
  FAR,
  FAR_SECONDS,
  mapColumns,
  offsetAfter,
  SIGNED,
  TAG,
  WHOLE,
} from "./contents-layout.js";

export class ContentsPageWriter {
  readonly #columns = mapColumns(() => new BinaryWriter());
  readonly #owners = new Map<string, number>();
  #entryCount = 0;
  #path: TreePath | undefined;
  #time = 0;
  #volume = 0;
  #offset = 0;

  /** Entries come in index order. */
  add(entry: ContentsEntry): void {
    assert(this.#entryCount < CONTENTS_PAGE_ENTRIES, "too many entries for a page");
    this.#entryCount++;
    this.#addPath(entry.path);
    if (entry.kind === "deleted") this.#columns.tags.u8(TAG.deleted);
    else if (entry.kind === "object") this.#addObject(entry.attributes, entry.object);
    else this.#addFile(entry);
  }

  /** The page; the writer is done with. */
  finish(): Uint8Array {
    const page = new BinaryWriter();
    page.u8(CONTENTS_VERSION);
    page.varint(this.#entryCount);
    mapColumns((name) => {
      const column = this.#columns[name].finish();
      page.varint(column.length);
      page.bytes(column);
    });
    return page.finish();
  }

  #addPath(path: TreePath): void {
    const last = this.#path;
    assert(last === undefined || compareTreePaths(last, path) < 0, "entries out of index order");
    const shared = last === undefined ? 0 : sharedSize(last, path);
    this.#columns.names.varint(shared);
    this.#columns.names.varint(path.length - shared);
    this.#columns.texts.latin1(path.slice(shared));
    this.#path = path;
  }

  #addObject(attributes: Attributes, object: SpecialObject): void {
    this.#addAttributes(attributes, TAG[object.type]);
    const { sizes, texts } = this.#columns;
    if (object.type === "symlink") {
      sizes.varint(object.target.length);
      texts.latin1(object.target);
    } else if ("major" in object) {
      sizes.varint(object.major);
      sizes.varint(object.minor);
    }
  }

  #addFile(entry: FileEntry): void {
    const { kind, attributes, sizeBytes, data, signature } = entry;
    const isWhole = isWholeFile(entry);
    const signed = signature === undefined ? 0 : SIGNED;
    this.#addAttributes(attributes, TAG[kind] | signed | (isWhole ? WHOLE : 0));
    this.#columns.sizes.varint(sizeBytes);
    if (kind === "prefix") assert(data.length === 0, "a prefix has no data");
    else if (!isWhole) this.#columns.runs.varint(data.length);
    for (const run of data) this.#addRun(run, isWhole);
    if (signature === undefined) return;
    assert(signature.digest.length === DIGEST_SIZE_BYTES, "a digest of another size");
    this.#columns.blockLengths.varint(signature.blockLength);
    this.#columns.digests.bytes(signature.digest);
  }

  #addAttributes(attributes: Attributes, tag: number): void {
    const { mtime } = attributes;
    const difference = mtime - this.#time;
    const isFar = Math.abs(difference) >= FAR_SECONDS;
    this.#columns.tags.u8(tag | (isFar ? FAR : 0));
    if (isFar) this.#columns.times.varint(mtime);
    else this.#columns.times.signedVarint(difference);
    this.#time = mtime;
    this.#columns.ownerNumbers.varint(this.#ownerNumber(attributes));
  }

  /** Of mode and owner, which few entries have to themselves. */
  #ownerNumber({ mode, uid, gid, userName, groupName }: Attributes): number {
    const key = `${mode} ${uid} ${gid} ${userName.length} ${userName}${groupName}`;
    const known = this.#owners.get(key);
    if (known !== undefined) return known;
    const { owners } = this.#columns;
    for (const number of [mode, uid, gid]) owners.varint(number);
    for (const name of [userName, groupName]) {
      owners.varint(name.length);
      owners.latin1(name);
    }
    const number = this.#owners.size;
    this.#owners.set(key, number);
    return number;
  }

  #addRun(run: DataRun, isWhole: boolean): void {
    const { runs } = this.#columns;
    runs.signedVarint(run.volume - this.#volume);
    runs.signedVarint(run.offset - (run.volume === this.#volume ? this.#offset : 0));
    this.#volume = run.volume;
    this.#offset = offsetAfter(run);
    if (isWhole) return;
    runs.varint(run.pieceSizeBytes);
    runs.varint(run.pieceCount - 1);
    if (run.pieceCount > 1) runs.varint(run.strideBytes - run.pieceSizeBytes);
    else assert(run.strideBytes === run.pieceSizeBytes, "the stride of a single piece is its size");
  }
}

function isWholeFile({ data, sizeBytes }: FileEntry): boolean {
  const [run] = data;
  return data.length === 1 && run?.pieceCount === 1 && run.pieceSizeBytes === sizeBytes;
}
