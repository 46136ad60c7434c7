/** The entries of a set (docs/formats.md, "contents"): what duplicity's difftar says, and where the data lies. */
import type { TreePath } from "../bytes/tree-path.js";
import { ContentsPageReader } from "./contents-reader.js";
import { ContentsPageWriter } from "./contents-writer.js";

export { decodeDataRuns } from "./contents-reader.js";

export type ContentsEntry =
  | { readonly kind: "deleted"; readonly path: TreePath }
  | {
      readonly kind: "object";
      readonly path: TreePath;
      readonly attributes: Attributes;
      readonly object: SpecialObject;
    }
  | FileEntry;

/**
 * A regular file. `snapshot`: data is its content. `diff`: data is a librsync delta against the previous content.
 * `rewrite`: data is a delta that takes nothing from the previous content, so that nobody needs that.
 * `prefix`: the first `sizeBytes` of the previous content (touched, chmod'ed, truncated); no data.
 */
export interface FileEntry {
  readonly kind: "snapshot" | "diff" | "rewrite" | "prefix";
  readonly path: TreePath;
  readonly attributes: Attributes;
  /** Size of the resulting file. */
  readonly sizeBytes: number;
  /** Where the content or the delta lies, in order; empty for `prefix`. */
  readonly data: readonly DataRun[];
  /** Absent when the set has no sigtar. */
  readonly signature?: SignatureDigest;
}

export type SpecialObject =
  | { readonly type: "directory" }
  | {
      readonly type: "symlink";
      /** latin1 */
      readonly target: string;
    }
  | { readonly type: "fifo" }
  | {
      readonly type: "characterDevice" | "blockDevice";
      readonly major: number;
      readonly minor: number;
    };

export interface Attributes {
  /** Low twelve bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** latin1; empty when the source did not know a name. */
  readonly userName: string;
  readonly groupName: string;
  /** Whole seconds since the epoch; duplicity has no times before it. */
  readonly mtime: number;
}

/**
 * `pieceCount` pieces of `pieceSizeBytes` each, `strideBytes` apart, in the unwrapped tar of one volume. The stride of a
 * single piece is its size.
 */
export interface DataRun {
  readonly volume: number;
  readonly offset: number;
  readonly pieceSizeBytes: number;
  readonly pieceCount: number;
  readonly strideBytes: number;
}

/** Tells the content a file must have: digest of its librsync signature (MD4, 8-byte strong sums, this block length). */
export interface SignatureDigest {
  readonly blockLength: number;
  /** First 8 bytes of the SHA-256 of the signature: as strong against accidents as the sums it covers. */
  readonly digest: Uint8Array;
}

/** One page of at most CONTENTS_PAGE_ENTRIES entries, in index order. */
export function encodeContentsPage(entries: Iterable<ContentsEntry>): Uint8Array {
  const writer = new ContentsPageWriter();
  for (const entry of entries) writer.add(entry);
  return writer.finish();
}

/** @throws MirrorError DOCUMENT_INVALID, PATH_REFUSED: at the entry concerned, or at the end */
export function* decodeContentsPage(bytes: Uint8Array): Generator<ContentsEntry> {
  const reader = new ContentsPageReader(bytes);
  while (reader.hasNext) yield reader.next();
  reader.finish();
}
