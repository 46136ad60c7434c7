/** What a host lacks, given a head that it holds all of. */
import type { Head } from "../manifest/head.js";
import type { LedgerChain } from "./publication.js";

/** The part of a chain's ledger that a host lacks. */
export interface MissingLines {
  readonly chain: LedgerChain;
  /** Lines [0, from) are there; they take `fromBytes` of the ledger. */
  readonly from: number;
  readonly fromBytes: number;
  /** Lines [from, to) are to be pushed; the ledger up to there has `toBytes`. */
  readonly to: number;
  readonly toBytes: number;
}

/** Lines of `target`'s ledgers that no ledger of `held` has; `held` counts only in the same session. */
export function findMissing(
  chains: readonly LedgerChain[],
  target: Head,
  held: Head | undefined,
): MissingLines[] {
  const heldLedgers = held?.session === target.session ? held.ledgers : [];
  const missing: MissingLines[] = [];
  for (const { chain: number, sizeBytes, lastLineHash } of target.ledgers) {
    const chain = chains.find((known) => known.chain === number);
    if (chain === undefined) continue;
    const there = heldLedgers.find((ledger) => ledger.chain === number);
    const from = there === undefined ? 0 : countLines(chain, there.lastLineHash);
    const to = countLines(chain, lastLineHash);
    const fromBytes = from === 0 ? 0 : (there?.sizeBytes ?? 0);
    if (from < to) missing.push({ chain, from, fromBytes, to, toBytes: sizeBytes });
  }
  return missing;
}

/** How many lines end in the one with hash `last`; 0 when it is none of the chain's. */
function countLines({ lines, lastLineHash }: LedgerChain, last: string): number {
  if (last === lastLineHash) return lines.length;
  const next = lines.findIndex((line) => line.previous === last);
  return Math.max(0, next);
}
