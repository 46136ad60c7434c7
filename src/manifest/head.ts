import type { SetId } from "../duplicity/set-id.js";

/** The signed pointer to everything else (docs/formats.md, "head"). */
export interface Head {
  readonly mirror: string;
  readonly session: string;
  readonly generation: number;
  /** Milliseconds since the epoch; RFC 3339 in the document. */
  readonly publishedAt: number;
  readonly expiresAt: number;
  readonly newest: { readonly chain: number; readonly set: SetId };
  readonly ledgers: readonly LedgerReference[];
  readonly sources: readonly SourceReference[];
  /** Verifier key that will sign from some later head on (formats.md, "keys"). */
  readonly nextKey?: string;
}

/** A retained chain's ledger: the first `sizeBytes` of it are published, and end in a line with this hash. */
export interface LedgerReference {
  /** The chain's name: the time of its full set, Unix seconds. */
  readonly chain: number;
  readonly sizeBytes: number;
  /** SHA-256 of the last line with its LF, base64url. */
  readonly lastLineHash: string;
}

export interface SourceReference {
  readonly name: string;
  readonly url: string;
  readonly shares: readonly number[];
}
