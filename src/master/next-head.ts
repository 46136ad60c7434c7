/** Decides what the head shall say next, and whether it shall be said now. */
import { formatSetName } from "../duplicity/names.js";
import type { Head, LedgerReference, SourceReference } from "../manifest/head.js";
import type { LedgerChain } from "./publication.js";

export interface NextHead {
  readonly head: Head;
  /** `sets`: it names sets that no head named. `settings`: only sources or retained chains differ. `refresh`: nothing but its age. */
  readonly why: "sets" | "settings" | "refresh";
}

/** @returns undefined when the published head still says it all, or there is nothing to name */
export function planHead(options: {
  readonly mirror: string;
  readonly session: string;
  readonly published: Head | undefined;
  readonly chains: readonly LedgerChain[];
  /** Names of sets that must not be the newest. */
  readonly withheld: ReadonlySet<string>;
  readonly sources: readonly SourceReference[];
  readonly retainChains: number;
  readonly lifetimeMs: number;
  readonly now: number;
}): NextHead | undefined {
  const { mirror, session, published, sources, lifetimeMs, now } = options;
  const named = nameChains(options) ?? published;
  if (named === undefined) return undefined;
  // A clock that was set back must not make a later head look older.
  const publishedAt = Math.max(now, published?.publishedAt ?? 0);
  const head: Head = {
    mirror,
    session,
    generation: (published?.generation ?? 0) + 1,
    publishedAt,
    expiresAt: publishedAt + lifetimeMs,
    newest: named.newest,
    ledgers: named.ledgers,
    sources,
  };
  if (published === undefined || hasNewSets(head, published)) return { head, why: "sets" };
  const isSame =
    JSON.stringify([head.ledgers, head.sources]) ===
    JSON.stringify([published.ledgers, published.sources]);
  if (!isSame) return { head, why: "settings" };
  return now >= refreshAt(published) ? { head, why: "refresh" } : undefined;
}

/** From when on a head is replaced though it has nothing new to say: half of its life is over. */
export function refreshAt(head: Pick<Head, "publishedAt" | "expiresAt">): number {
  return head.publishedAt + (head.expiresAt - head.publishedAt) / 2;
}

/** The ledgers as far as they may be named; undefined while the newest chain ends in a withheld set. */
function nameChains(options: {
  readonly chains: readonly LedgerChain[];
  readonly withheld: ReadonlySet<string>;
  readonly retainChains: number;
}): Pick<Head, "newest" | "ledgers"> | undefined {
  const retained = options.chains.slice(-options.retainChains);
  const newest = retained.at(-1);
  const set = newest?.lines.at(-1)?.set;
  if (newest === undefined || set === undefined) return undefined;
  if (options.withheld.has(formatSetName(set))) return undefined;
  return { newest: { chain: newest.chain, set }, ledgers: retained.map(toReference) };
}

function toReference({ chain, sizeBytes, lastLineHash }: LedgerChain): LedgerReference {
  return { chain, sizeBytes, lastLineHash };
}

function hasNewSets(head: Head, published: Head): boolean {
  return head.ledgers.some(
    ({ chain, lastLineHash }) =>
      published.ledgers.find((other) => other.chain === chain)?.lastLineHash !== lastLineHash,
  );
}
