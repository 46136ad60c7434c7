/** How a page of contents is laid out (docs/formats.md, "contents"): for its writer and its reader. */

export const CONTENTS_VERSION = 1;

/** A page is its entries' values in columns, which compress better than rows; they lie in this order. */
export interface Columns<T> {
  /** What `ownerNumbers` count: mode, uid, gid, names of user and group. */
  readonly owners: T;
  readonly tags: T;
  /** Sizes of the parts of paths. */
  readonly names: T;
  readonly texts: T;
  readonly ownerNumbers: T;
  readonly times: T;
  /** Of files and link texts; numbers of devices. */
  readonly sizes: T;
  readonly runs: T;
  readonly blockLengths: T;
  readonly digests: T;
}

/** Columns of what `make` gives for each, called in their order. */
export function mapColumns<T>(make: (column: keyof Columns<T>) => T): Columns<T> {
  return {
    owners: make("owners"),
    tags: make("tags"),
    names: make("names"),
    texts: make("texts"),
    ownerNumbers: make("ownerNumbers"),
    times: make("times"),
    sizes: make("sizes"),
    runs: make("runs"),
    blockLengths: make("blockLengths"),
    digests: make("digests"),
  };
}

/** The low four bits of a tag. */
export const TAG = {
  deleted: 0,
  directory: 1,
  symlink: 2,
  fifo: 3,
  characterDevice: 4,
  blockDevice: 5,
  snapshot: 6,
  diff: 7,
  prefix: 8,
  rewrite: 9,
} as const;

export const TAG_MASK = 0x0f;

/** Flags of a tag. The file has a signature digest. */
export const SIGNED = 0x10;
/** The file's data is one piece, as large as the file. */
export const WHOLE = 0x20;
/** The time is given as it is, not as the difference to the one before. */
export const FAR = 0x40;

export const DIGEST_SIZE_BYTES = 8;

/** Larger differences of times are not coded as differences. */
export const FAR_SECONDS = 2 ** 51;

/** Bytes of all pieces of all runs. */
export function dataSize(
  runs: Iterable<{ readonly pieceSizeBytes: number; readonly pieceCount: number }>,
): number {
  let sum = 0;
  for (const { pieceSizeBytes, pieceCount } of runs) sum += pieceSizeBytes * pieceCount;
  return sum;
}

/** Where the data after `run` begins at the earliest: a tar goes on in whole records of 512 bytes. */
export function offsetAfter(run: {
  readonly offset: number;
  readonly pieceSizeBytes: number;
  readonly pieceCount: number;
  readonly strideBytes: number;
}): number {
  const end = run.offset + (run.pieceCount - 1) * run.strideBytes + run.pieceSizeBytes;
  return Math.ceil(end / TAR_RECORD_SIZE_BYTES) * TAR_RECORD_SIZE_BYTES;
}

const TAR_RECORD_SIZE_BYTES = 512;
