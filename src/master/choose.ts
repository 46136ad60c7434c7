/** Which sets of the repository shall be published, in order; and whether what was published is still what lies there. */
import { type Chain, type RepositorySet } from "../duplicity/chains.js";
import { formatSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { MirrorError } from "../errors.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { lineageOf } from "../manifest/lineage.js";

/** A chain's published sets, in the order of its ledger. */
export interface PublishedChain {
  /** The time of the full set. */
  readonly chain: number;
  readonly lines: readonly LedgerLine[];
}

export interface ChosenSet {
  readonly chain: number;
  readonly set: RepositorySet;
  /** Whether the head may name this set as the newest: a withheld set stands only below a good one. */
  readonly isGood: boolean;
}

export interface Choice {
  /** Chain after chain, each in order of time. */
  readonly sets: readonly ChosenSet[];
  /** Names of sets that wait for a good one after them. */
  readonly withheld: readonly string[];
}

/**
 * Chooses among the newest `retainChains` chains of the repository; of a repository never published, the newest alone.
 * @param options.withheld names of sets whose backup had errors
 */
export function chooseSets(options: {
  readonly chains: readonly Chain[];
  readonly published: readonly PublishedChain[];
  readonly withheld: ReadonlySet<string>;
  readonly retainChains: number;
}): Choice {
  const sets: ChosenSet[] = [];
  const withheld: string[] = [];
  for (const chain of chainsToPublish(options)) {
    const number = chain.full.id.time;
    const lines = options.published.find((known) => known.chain === number)?.lines ?? [];
    const known = new Set(lines.map((line) => formatSetName(line.set)));
    const all = setsOf(chain);
    const isGood = (set: RepositorySet) => !options.withheld.has(formatSetName(set.id));
    const lastGood = all.findLastIndex(isGood);
    for (const [position, set] of all.entries()) {
      if (known.has(formatSetName(set.id))) continue;
      if (position > lastGood) withheld.push(formatSetName(set.id));
      else sets.push({ chain: number, set, isGood: isGood(set) });
    }
  }
  return { sets, withheld };
}

/**
 * Refuses a repository that is no longer the one that was published. A replica that follows would replay deltas on a
 * base they were not made for, so this is never papered over.
 * @param options.hashes manifest hashes of the published sets that lie in the repository, by set name
 * @throws MirrorError REPOSITORY_INVALID
 */
export function verifyPublished(options: {
  readonly chains: readonly Chain[];
  readonly published: readonly PublishedChain[];
  readonly hashes: ReadonlyMap<string, string>;
}): void {
  for (const { lines } of options.published) {
    for (const line of lines) verifyHash(line, options.hashes);
  }
  const newest = options.published.at(-1);
  if (newest === undefined) return;
  const active = options.chains.at(-1);
  // A chain that a newer one has followed may be thinned out or removed at any time.
  if (active !== undefined && active.full.id.time > newest.chain) return;
  if (active?.full.id.time !== newest.chain) {
    refuse(`the published chain ${newest.chain} is not there, nor a newer one`);
  }
  verifyLineage(active, newest);
}

/** The sets of a chain that a restore uses, oldest first. */
function setsOf(chain: Chain): readonly RepositorySet[] {
  return [chain.full, ...chain.increments];
}

function chainsToPublish(options: {
  readonly chains: readonly Chain[];
  readonly published: readonly PublishedChain[];
  readonly retainChains: number;
}): readonly Chain[] {
  const [oldest] = options.published;
  if (oldest === undefined) return options.chains.slice(-1);
  return options.chains
    .filter((chain) => chain.full.id.time >= oldest.chain)
    .slice(-options.retainChains);
}

function verifyHash(line: LedgerLine, hashes: ReadonlyMap<string, string>): void {
  const hash = hashes.get(formatSetName(line.set));
  if (hash === undefined || hash === line.manifestHash) return;
  refuse(`the manifest of ${formatSetName(line.set)} changed after it was published`);
}

function verifyLineage(active: Chain, { lines }: PublishedChain): void {
  const newest = lines.at(-1);
  if (newest === undefined) return;
  const there = setsOf(active).map((set) => set.id);
  for (const { set } of lineageOf(lines, newest.set)) {
    if (there.some((other) => isSame(other, set) || isForkOf(other, set))) continue;
    refuse(`the published set ${formatSetName(set)} is not there, or not part of its chain`);
  }
}

function isSame(a: SetId, b: SetId): boolean {
  return formatSetName(a) === formatSetName(b);
}

/** Whether `later` took the place of `set` (duplicity-format 1.7 rule 5). */
function isForkOf(later: SetId, set: SetId): boolean {
  if (later.kind !== "increment" || set.kind !== "increment") return false;
  return later.from === set.from && later.time > set.time;
}

function refuse(what: string): never {
  throw new MirrorError(
    "REPOSITORY_INVALID",
    `repository: ${what}: nothing was published; bring the repository back, or make a full backup, ` +
      "or remove the publication's head to begin a new session from what is there",
  );
}
