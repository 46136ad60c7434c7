/** Documents that the tests of this folder vary. */
import { sha256, toBase64url } from "../../src/bytes/digest.js";
import type { SetId } from "../../src/duplicity/set-id.js";
import type { Head } from "../../src/manifest/head.js";
import { formatLedgerLine, hashLine, type LedgerLine } from "../../src/manifest/ledger.js";

export const FULL: SetId = { kind: "full", time: 1_700_000_000 };
export const INCREMENT: SetId = { kind: "increment", from: 1_700_000_000, time: 1_700_000_060 };
export const SESSION = "0b8f2f3e-5a41-4c9a-9d0e-1f2a3b4c5d6e";

export function digest(text: string): Uint8Array {
  return sha256(Buffer.from(text));
}

export function hashText(text: string): string {
  return toBase64url(digest(text));
}

export function sampleHead(changes: Partial<Head> = {}): Head {
  return {
    mirror: "pub",
    session: SESSION,
    generation: 7,
    publishedAt: Date.UTC(2023, 10, 14, 22, 15),
    expiresAt: Date.UTC(2023, 10, 16, 22, 15),
    newest: { chain: 1_700_000_000, set: INCREMENT },
    ledgers: [{ chain: 1_700_000_000, sizeBytes: 1234, lastLineHash: hashText("last") }],
    sources: [
      { name: "a", url: "https://a.example.org/pub", shares: [0] },
      { name: "b", url: "https://b.example.org/pub", shares: [1, 2] },
    ],
    ...changes,
  };
}

export function sampleLine(changes: Partial<LedgerLine> = {}): LedgerLine {
  return {
    previous: hashText("previous"),
    set: INCREMENT,
    manifestHash: hashText("manifest"),
    shape: { k: 2, n: 3 },
    entryCount: 5,
    volumes: { kind: "inline", bytes: Buffer.from("volumes") },
    records: { kind: "inline", bytes: Buffer.from("records") },
    contents: {
      kind: "paged",
      pages: [
        { sizeBytes: 100, hash: hashText("page 0"), first: "" },
        { sizeBytes: 90, hash: hashText("page 1"), first: 'caf\xe9/"\n' },
      ],
    },
    ...changes,
  };
}

/** The lines of a ledger for these sets, joined as they must be. */
export function sampleLedger(
  first: string,
  sets: readonly SetId[],
): { readonly bytes: Uint8Array; readonly lines: readonly LedgerLine[]; readonly last: string } {
  const lines: LedgerLine[] = [];
  const parts: Uint8Array[] = [];
  let last = first;
  for (const set of sets) {
    const line = sampleLine({ set, previous: last });
    const bytes = formatLedgerLine(line);
    last = hashLine(bytes);
    lines.push(line);
    parts.push(bytes);
  }
  return { bytes: Buffer.concat(parts), lines, last };
}
