/** Reads a page of contents, entry by entry; nothing in it is believed before it was checked. */
import { BinaryReader } from "../bytes/binary-reader.js";
import { FrontCodedPaths } from "../bytes/front-coding.js";
import type { TreePath } from "../bytes/tree-path.js";
import { CONTENTS_PAGE_ENTRIES, FILE_RUNS_MAX, PATH_MAX_BYTES } from "../limits.js";
import type {
  Attributes,
  ContentsEntry,
  DataRun,
  FileEntry,
  SignatureDigest,
  SpecialObject,
} from "./contents.js";
import {
  CONTENTS_VERSION,
  type Columns,
  DIGEST_SIZE_BYTES,
  dataSize,
  FAR,
  mapColumns,
  offsetAfter,
  SIGNED,
  TAG,
  TAG_MASK,
  WHOLE,
} from "./contents-layout.js";

/** Throws MirrorError DOCUMENT_INVALID and PATH_REFUSED. */
export class ContentsPageReader {
  readonly #columns: Columns<BinaryReader>;
  readonly #owners: readonly Owner[];
  readonly #paths = new FrontCodedPaths();
  readonly #runs: DataRunReader;
  #left: number;
  #time = 0;

  constructor(bytes: Uint8Array) {
    const { entryCount, columns } = openPage(bytes);
    this.#left = entryCount;
    this.#columns = columns;
    this.#runs = new DataRunReader(columns.runs);
    this.#owners = decodeOwners(columns.owners, entryCount);
  }

  get hasNext(): boolean {
    return this.#left > 0;
  }

  next(): ContentsEntry {
    this.#left--;
    const path = this.#nextPath();
    const tag = this.#columns.tags.u8();
    const type = tag & TAG_MASK;
    if ((tag & ~TAG_MASK & ~(FLAGS[type] ?? 0)) !== 0) {
      this.#columns.tags.refuse(`has a tag with unknown flags (${tag})`);
    }
    switch (type) {
      case TAG.deleted:
        return { kind: "deleted", path };
      case TAG.snapshot:
        return this.#nextFile("snapshot", path, tag);
      case TAG.diff:
        return this.#nextFile("diff", path, tag);
      case TAG.prefix:
        return this.#nextFile("prefix", path, tag);
      case TAG.rewrite:
        return this.#nextFile("rewrite", path, tag);
      default: {
        const attributes = this.#nextAttributes(tag);
        return { kind: "object", path, attributes, object: this.#nextObject(tag) };
      }
    }
  }

  /** To be called after the last entry: nothing may be left over. */
  finish(): void {
    mapColumns((name) => this.#columns[name].finish());
  }

  #nextPath(): TreePath {
    const { names, texts } = this.#columns;
    const shared = names.varint();
    const sizeBytes = names.varint();
    if (sizeBytes > PATH_MAX_BYTES) names.refuse(`has a path of ${sizeBytes} bytes`);
    return this.#paths.next(shared, sizeBytes, texts);
  }

  #nextAttributes(tag: number): Attributes {
    const { ownerNumbers, times } = this.#columns;
    const isFar = (tag & FAR) !== 0;
    const mtime = isFar ? times.varint() : this.#time + times.signedVarint();
    if (mtime < 0 || !Number.isSafeInteger(mtime)) times.refuse(`has the time ${mtime}`);
    this.#time = mtime;
    const owner = this.#owners[ownerNumbers.varint()];
    if (owner === undefined) return ownerNumbers.refuse("names an owner that is not there");
    const { mode, uid, gid, userName, groupName } = owner;
    return { mode, uid, gid, userName, groupName, mtime };
  }

  #nextObject(tag: number): SpecialObject {
    const { sizes, texts, tags } = this.#columns;
    switch (tag & TAG_MASK) {
      case TAG.directory:
        return { type: "directory" };
      case TAG.symlink:
        return { type: "symlink", target: texts.latin1(sizes.varint()) };
      case TAG.fifo:
        return { type: "fifo" };
      case TAG.characterDevice:
        return { type: "characterDevice", major: sizes.varint(), minor: sizes.varint() };
      case TAG.blockDevice:
        return { type: "blockDevice", major: sizes.varint(), minor: sizes.varint() };
      default:
        return tags.refuse(`has an unknown tag (${tag})`);
    }
  }

  #nextFile(kind: FileEntry["kind"], path: TreePath, tag: number): FileEntry {
    const attributes = this.#nextAttributes(tag);
    const sizeBytes = this.#columns.sizes.varint();
    const data = kind === "prefix" ? NO_DATA : this.#runs.next(tag, sizeBytes);
    if (kind === "snapshot") this.#checkSize(data, sizeBytes);
    if ((tag & SIGNED) === 0) return { kind, path, attributes, sizeBytes, data };
    const signature = this.#nextSignature();
    return { kind, path, attributes, sizeBytes, data, signature };
  }

  /** A snapshot's data is its content. */
  #checkSize(data: readonly DataRun[], sizeBytes: number): void {
    const sum = dataSize(data);
    if (sum === sizeBytes) return;
    this.#columns.sizes.refuse(`has a file of ${sizeBytes} bytes with ${sum} bytes of data`);
  }

  #nextSignature(): SignatureDigest {
    const { blockLengths, digests } = this.#columns;
    const blockLength = blockLengths.varint();
    if (blockLength < 1 || blockLength > BLOCK_LENGTH_MAX) {
      blockLengths.refuse(`has a signature of blocks of ${blockLength} bytes`);
    }
    return new PageSignature(blockLength, digests, digests.pass(DIGEST_SIZE_BYTES));
  }
}

/** The data of one file after the other. */
class DataRunReader {
  readonly #column: BinaryReader;
  #volume = 0;
  #offset = 0;

  constructor(column: BinaryReader) {
    this.#column = column;
  }

  /** Of the file with this tag and size; not of one that is a `prefix`, which has none. */
  next(tag: number, sizeBytes: number): readonly DataRun[] {
    const runs = this.#column;
    if ((tag & WHOLE) !== 0) return [this.#nextRun(sizeBytes)];
    const count = runs.varint();
    if (count > Math.min(runs.remaining, FILE_RUNS_MAX))
      runs.refuse(`has ${count} runs for a file`);
    return Array.from({ length: count }, () => this.#nextRun(undefined));
  }

  /** `wholeSizeBytes` is the size of the run's single piece when it is known already. */
  #nextRun(wholeSizeBytes: number | undefined): DataRun {
    const runs = this.#column;
    const last = this.#volume;
    const volume = last + runs.signedVarint();
    const offset = runs.signedVarint() + (volume === last ? this.#offset : 0);
    const pieceSizeBytes = wholeSizeBytes ?? runs.varint();
    const pieceCount = wholeSizeBytes === undefined ? runs.varint() + 1 : 1;
    const strideBytes = pieceSizeBytes + (pieceCount === 1 ? 0 : runs.varint());
    const run = { volume, offset, pieceSizeBytes, pieceCount, strideBytes };
    const after = offsetAfter(run);
    if (volume < 1 || offset < 0 || pieceSizeBytes < 1 || !Number.isSafeInteger(after)) {
      runs.refuse("has a run that no volume can hold");
    }
    this.#volume = volume;
    this.#offset = after;
    return run;
  }
}

/** Where the data of each entry lies, of a page that was decoded before: nothing else of it is read, or checked again. */
export function decodeDataRuns(bytes: Uint8Array): readonly (readonly DataRun[])[] {
  const { entryCount, columns } = openPage(bytes);
  const { tags, sizes } = columns;
  const runs = new DataRunReader(columns.runs);
  return Array.from({ length: entryCount }, () => {
    const tag = tags.u8();
    switch (tag & TAG_MASK) {
      case TAG.snapshot:
      case TAG.diff:
      case TAG.rewrite:
        return runs.next(tag, sizes.varint());
      case TAG.characterDevice:
      case TAG.blockDevice:
        sizes.varint();
        sizes.varint();
        return NO_DATA;
      case TAG.prefix:
      case TAG.symlink:
        sizes.varint();
        return NO_DATA;
      default:
        return NO_DATA;
    }
  });
}

function openPage(bytes: Uint8Array): {
  readonly entryCount: number;
  readonly columns: Columns<BinaryReader>;
} {
  const page = new BinaryReader(bytes, "a page of contents");
  const version = page.u8();
  if (version !== CONTENTS_VERSION) {
    page.refuse(`is of version ${version}, expected ${CONTENTS_VERSION}`);
  }
  const entryCount = page.varint();
  if (entryCount > CONTENTS_PAGE_ENTRIES) page.refuse(`has ${entryCount} entries`);
  const columns = mapColumns(
    (name) => new BinaryReader(page.bytes(page.varint()), `column ${name} of contents`),
  );
  page.finish();
  return { entryCount, columns };
}

/** Cuts the digest out when it is asked for: of most entries it never is. */
class PageSignature implements SignatureDigest {
  readonly blockLength: number;
  readonly #digests: BinaryReader;
  readonly #start: number;

  constructor(blockLength: number, digests: BinaryReader, start: number) {
    this.blockLength = blockLength;
    this.#digests = digests;
    this.#start = start;
  }

  get digest(): Uint8Array {
    return this.#digests.bytesAt(this.#start, DIGEST_SIZE_BYTES);
  }
}

type Owner = Omit<Attributes, "mtime">;

const NO_DATA: readonly DataRun[] = [];

/** Which flags go with each tag. */
const FLAGS = [
  0,
  FAR,
  FAR,
  FAR,
  FAR,
  FAR,
  SIGNED | WHOLE | FAR,
  SIGNED | WHOLE | FAR,
  SIGNED | FAR,
  SIGNED | WHOLE | FAR,
];

function decodeOwners(reader: BinaryReader, entryCount: number): Owner[] {
  const owners: Owner[] = [];
  while (reader.remaining > 0) {
    if (owners.length === entryCount) reader.refuse("has more owners than entries");
    const mode = reader.varint();
    if (mode > MODE_MAX) reader.refuse(`has a mode of more than twelve bits (${mode})`);
    const uid = reader.varint();
    const gid = reader.varint();
    const userName = reader.latin1(reader.varint());
    const groupName = reader.latin1(reader.varint());
    owners.push({ mode, uid, gid, userName, groupName });
  }
  return owners;
}

const MODE_MAX = 0o7777;

/** As a signature says it, in four bytes. */
const BLOCK_LENGTH_MAX = 2 ** 32 - 1;
