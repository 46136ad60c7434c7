import type { SetId } from "../duplicity/set-id.js";
import type { Shape } from "../erasure/shape.js";

/** One published set (docs/formats.md, "ledger"). */
export interface LedgerLine {
  /** SHA-256 of the line before it, with its LF; of the empty string for a ledger's first line. Base64url. */
  readonly previous: string;
  readonly set: SetId;
  /** SHA-256 of duplicity's manifest as it lies in the repository: which of two sets with equal times. */
  readonly manifestHash: string;
  readonly shape: Shape;
  /** Entries in the set's contents, and bytes of one share's blocks of the set's volumes. */
  readonly entryCount: number;
  readonly volumes: Table;
  readonly records: Table;
  readonly contents: Table;
}

/** A list too long for one piece: pages, each compressed and hashed by itself, in the ledger line or a file of their own. */
export type Table =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "paged"; readonly pages: readonly PageReference[] };

/** A page lies in its table's file after the pages before it. */
export interface PageReference {
  readonly sizeBytes: number;
  /** SHA-256 of the page as it lies in the file, base64url. */
  readonly hash: string;
  /** What the page begins with: a latin1 path (contents) or a volume's number in decimal (file tables). */
  readonly first: string;
}
