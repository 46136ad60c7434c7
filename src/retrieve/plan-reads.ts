/** What to ask of which source for the stripes of a run, beside what is under way. */
import { MirrorError } from "../errors.js";
import { RANGE_GAP_MAX_BYTES } from "../limits.js";
import { packPath } from "../manifest/paths.js";
import type { ByteRange } from "../store/source.js";
import { chooseOffers, type Offer } from "./choose.js";
import type { Gathering } from "./gathering.js";
import type { LocatedFile, RunItem } from "./plan-runs.js";
import type { SourcePool } from "./source-pool.js";

/** One range of one share from one source. */
export interface ShareRead {
  readonly share: number;
  readonly source: number;
  readonly path: string;
  readonly range: ByteRange;
  /** Asked again with retries: it failed before, and nothing else is left. */
  readonly isPatient: boolean;
  /** In ascending order of their blocks. */
  readonly gatherings: readonly Gathering[];
}

/** A read that is begun although enough others are under way: one of them is slow. */
export interface SpareRead<Running> extends ShareRead {
  readonly insteadOf: Running;
}

export interface ReadUnderWay {
  readonly wanted: ShareRead;
  readonly isSlow: boolean;
}

export interface ReadsPlan<Running> {
  readonly reads: readonly ShareRead[];
  readonly spares: readonly SpareRead<Running>[];
}

/**
 * A stripe needs k good blocks: those that it has, and reads under way that are not slow, are made up to k. Each share is asked
 * of each source once, and once more patiently, so that this ends.
 * @throws MirrorError SHARES_TOO_FEW when there is nothing left to ask or to wait for
 */
export function planReads<Running extends ReadUnderWay>(
  pool: SourcePool,
  file: LocatedFile,
  state: { readonly hungry: readonly Gathering[]; readonly underWay: Iterable<Running> },
): ReadsPlan<Running> {
  const plans = groupAlike(state.hungry, state.underWay).map((group) =>
    planGroup(pool, file, group),
  );
  return {
    reads: plans.flatMap(({ reads }) => reads),
    spares: plans.flatMap(({ spares }) => spares),
  };
}

/** Stripes with the same blocks, refusals and reads under way that they need: one choice serves them all. */
interface Group<Running> {
  readonly first: Gathering;
  readonly gatherings: Gathering[];
  readonly underWay: readonly Running[];
}

function groupAlike<Running extends ReadUnderWay>(
  hungry: readonly Gathering[],
  underWay: Iterable<Running>,
): Group<Running>[] {
  const readsOf = new Map<Gathering, Running[]>(hungry.map((gathering) => [gathering, []]));
  for (const read of underWay) {
    for (const gathering of read.wanted.gatherings) {
      if (!gathering.has(read.wanted.share)) readsOf.get(gathering)?.push(read);
    }
  }
  const groups = new Map<string, Group<Running>>();
  for (const [gathering, reads] of readsOf) {
    const told = reads.map(({ wanted, isSlow }) => `${wanted.share}@${wanted.source}${isSlow}`);
    const key = `${gathering.key}|${told.sort().join()}`;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { first: gathering, gatherings: [gathering], underWay: reads });
    } else group.gatherings.push(gathering);
  }
  return [...groups.values()];
}

function planGroup<Running extends ReadUnderWay>(
  pool: SourcePool,
  file: LocatedFile,
  group: Group<Running>,
): ReadsPlan<Running> {
  const { first, gatherings, underWay } = group;
  const slow = underWay.filter(({ isSlow }) => isSlow);
  const count = first.missingCount - (underWay.length - slow.length);
  if (count <= 0) return { reads: [], spares: [] };
  const chosen = chooseFor(pool, file, { group, count });
  // Even too few are read: the failure shall say of every share whether it is good.
  if (chosen.length === 0 && underWay.length === 0) throw tooFew(pool, first);
  const sparesFrom = Math.max(0, count - slow.length);
  const parts = cutAtGaps(gatherings);
  const readsOf = (offer: Offer): ShareRead[] =>
    parts.map((part) => readFor(file, offer, { part, isPatient: wasRefused(first, offer) }));
  return {
    reads: chosen.slice(0, sparesFrom).flatMap(readsOf),
    spares: chosen.slice(sparesFrom).flatMap((offer, at) => {
      const insteadOf = slow[at];
      if (insteadOf === undefined || offer.standing === "absent") return [];
      return readsOf(offer).map((read) => ({ ...read, insteadOf }));
    }),
  };
}

function chooseFor<Running extends ReadUnderWay>(
  pool: SourcePool,
  file: LocatedFile,
  { group, count }: { readonly group: Group<Running>; readonly count: number },
): Offer[] {
  const { first, gatherings } = group;
  const sizeBytes = gatherings.reduce((sum, { item }) => sum + item.blockSizeBytes, 0);
  const wanted = { count, sizeBytes, k: file.shape.k };
  const offers = offersFor(pool, file, group);
  const fresh = offers.filter((offer) => !wasRefused(first, offer));
  const chosen = chooseOffers(fresh, wanted);
  if (chosen.length === count) return chosen;
  return chooseOffers([...fresh, ...offers.filter((offer) => mayRetry(first, offer))], wanted);
}

/** Every source of every share that is neither here nor coming; not those that are slow right now. */
function offersFor<Running extends ReadUnderWay>(
  pool: SourcePool,
  file: LocatedFile,
  { first, gatherings, underWay }: Group<Running>,
): Offer[] {
  const range = rangeOf(gatherings);
  const coming = new Set(
    underWay.filter(({ isSlow }) => !isSlow).map(({ wanted }) => wanted.share),
  );
  const slow = new Set(underWay.filter(({ isSlow }) => isSlow).map(({ wanted }) => wanted.source));
  const offers: Offer[] = [];
  for (let share = 0; share < file.shape.n; share++) {
    if (first.has(share) || coming.has(share)) continue;
    offers.push(...pool.offers(share, pathOf(file, share), range));
  }
  return offers.filter(({ source }) => !slow.has(source));
}

function wasRefused(gathering: Gathering, { share, source }: Offer): boolean {
  return gathering.refusal(share, source) !== undefined;
}

/** With no other share left, a source that could not be reached is worth waiting for, once. */
function mayRetry(gathering: Gathering, { share, source }: Offer): boolean {
  const refusal = gathering.refusal(share, source);
  if (refusal === undefined || refusal.wasPatient) return false;
  return refusal.code === "SOURCE_UNREACHABLE" || refusal.code === "SOURCE_TIMEOUT";
}

function readFor(
  file: LocatedFile,
  { share, source }: Offer,
  { part, isPatient }: { readonly part: readonly Gathering[]; readonly isPatient: boolean },
): ShareRead {
  const path = pathOf(file, share);
  return { share, source, path, range: rangeOf(part), isPatient, gatherings: part };
}

function cutAtGaps(group: readonly Gathering[]): Gathering[][] {
  const parts: Gathering[][] = [];
  let last: RunItem | undefined;
  for (const gathering of group) {
    const { item } = gathering;
    const part = parts.at(-1);
    const gapBytes = last === undefined ? 0 : item.offset - last.offset - last.blockSizeBytes;
    if (part === undefined || gapBytes > RANGE_GAP_MAX_BYTES) parts.push([gathering]);
    else part.push(gathering);
    last = item;
  }
  return parts;
}

function rangeOf(gatherings: readonly Gathering[]): ByteRange {
  const first = gatherings[0]?.item;
  const last = gatherings.at(-1)?.item;
  if (first === undefined || last === undefined) return { offset: 0, sizeBytes: 0 };
  const end = last.offset + last.blockSizeBytes;
  return { offset: first.offset, sizeBytes: end - first.offset };
}

function pathOf({ session, chain, stream, file }: LocatedFile, share: number): string {
  return packPath({ share, session, chain, stream, pack: file.pack });
}

/** Names every share that is not good, and what is wrong with it where. */
function tooFew(pool: SourcePool, gathering: Gathering): MirrorError {
  const { k, n } = gathering.item.request.file.shape;
  const told: string[] = [];
  for (let share = 0; share < n; share++) {
    if (gathering.has(share)) continue;
    const sourcesByCode = new Map<string, string[]>();
    for (const { code, source, share: refused } of gathering.refusals) {
      if (refused !== share) continue;
      const names = sourcesByCode.get(code) ?? [];
      sourcesByCode.set(code, [...names, pool.member(source).source.name]);
    }
    const places = [...sourcesByCode].map(([code, names]) => `${code} at ${names.join(" ")}`);
    told.push(`share ${share}: ${places.length === 0 ? "at no source" : places.join(", ")}`);
  }
  const goodCount = k - gathering.missingCount;
  const counts = `${goodCount} good shares, ${k} needed`;
  return new MirrorError("SHARES_TOO_FEW", `${gathering.name}: ${counts}; ${told.join("; ")}`);
}
