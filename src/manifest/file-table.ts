import type { FileRole, Wrapping } from "../duplicity/names.js";

/** The coded files of a set: where their blocks lie in the packs, and what hash each has (docs/formats.md, "file tables"). */

export interface CodedFile {
  /** duplicity's own name of the file. */
  readonly name: string;
  readonly role: FileRole;
  /** Volume number from 1; 0 for other roles. */
  readonly number: number;
  readonly wrapping: Wrapping;
  readonly sizeBytes: number;
  /** SHA-256 of the whole file. */
  readonly hash: Uint8Array;
  readonly pack: number;
  /** Where the first block lies in its pack; the same in every share. */
  readonly offset: number;
  readonly stripes: readonly Stripe[];
}

/** Stripe s covers the file's bytes from s * STRIPE_SIZE_BYTES on. */
export interface Stripe {
  readonly compression: "none" | "brotli";
  /** Bytes before padding to k blocks; the block size is `blockSize(storedSizeBytes, k)`. */
  readonly storedSizeBytes: number;
  /** n SHA-256 hashes, 32 bytes each, share 0 first. */
  readonly blockHashes: Uint8Array;
}
