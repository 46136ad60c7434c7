/** One run: reads k shares of it, checks every block, and reads what is missing or bad elsewhere, block by block. */
import { isMirrorError, MirrorError } from "../errors.js";
import { RANGE_GAP_MAX_BYTES } from "../limits.js";
import { packPath } from "../manifest/paths.js";
import { chooseOffers, type Offer } from "./choose.js";
import { Gathering } from "./gathering.js";
import type { LocatedFile, Run, RunItem } from "./plan-runs.js";
import type { PooledRead } from "./pool-member.js";
import { allOver } from "./settle.js";
import type { SourcePool } from "./source-pool.js";

/**
 * The raw bytes of each of the run's stripes. Every round asks each stripe's missing blocks of shares and
 * sources that have not failed it yet, so that rounds end. When it throws, nothing of it is under way.
 * @throws MirrorError SHARES_TOO_FEW, BLOCK_CORRUPT
 */
export async function retrieveRun(
  pool: SourcePool,
  run: Run,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const gatherings = run.items.map((item) => new Gathering(item));
  for (;;) {
    const hungry = gatherings.filter(({ missingCount }) => missingCount > 0);
    if (hungry.length === 0) break;
    const reads = planReads(pool, run.file, hungry);
    await allOver(reads.map((read) => readBlocks(pool, run.file, read, signal)));
  }
  return allOver(gatherings.map((gathering) => gathering.finish()));
}

/** One range of one share from one source. */
interface ShareRead {
  readonly share: number;
  readonly source: number;
  readonly isPatient: boolean;
  /** In ascending order of their blocks. */
  readonly gatherings: readonly Gathering[];
}

function planReads(pool: SourcePool, file: LocatedFile, hungry: readonly Gathering[]): ShareRead[] {
  const alike = new Map<string, Gathering[]>();
  for (const gathering of hungry) {
    const group = alike.get(gathering.key);
    if (group === undefined) alike.set(gathering.key, [gathering]);
    else group.push(gathering);
  }
  return [...alike.values()].flatMap((group) => planGroup(pool, file, group));
}

/** All of `group` have the same blocks and refusals: one choice serves them all. */
function planGroup(pool: SourcePool, file: LocatedFile, group: readonly Gathering[]): ShareRead[] {
  const [first] = group;
  if (first === undefined) return [];
  const { k } = file.shape;
  const sizeBytes = group.reduce((sum, { item }) => sum + item.blockSizeBytes, 0);
  const wanted = { count: first.missingCount, sizeBytes, k };
  const offers = offersFor(pool, file, group);
  const fresh = offers.filter(({ share, source }) => first.refusal(share, source) === undefined);
  let chosen = chooseOffers(fresh, wanted);
  if (chosen.length < wanted.count) {
    chosen = chooseOffers([...fresh, ...offers.filter((offer) => mayRetry(first, offer))], wanted);
  }
  // Even too few are read: the failure shall say of every share whether it is good.
  if (chosen.length === 0) throw tooFew(pool, first);
  return chosen.flatMap(({ share, source }) => {
    const isPatient = first.refusal(share, source) !== undefined;
    return cutAtGaps(group).map((gatherings) => ({ share, source, isPatient, gatherings }));
  });
}

/** Every source of every share that the group lacks. */
function offersFor(pool: SourcePool, file: LocatedFile, group: readonly Gathering[]): Offer[] {
  const [first] = group;
  const range = rangeOf(group);
  const offers: Offer[] = [];
  for (let share = 0; share < file.shape.n; share++) {
    if (first?.has(share) === true) continue;
    offers.push(...pool.offers(share, pathOf(file, share), range));
  }
  return offers;
}

/** With no other share left, a source that could not be reached is worth waiting for, once. */
function mayRetry(gathering: Gathering, { share, source }: Offer): boolean {
  const refusal = gathering.refusal(share, source);
  if (refusal === undefined || refusal.wasPatient) return false;
  return refusal.code === "SOURCE_UNREACHABLE" || refusal.code === "SOURCE_TIMEOUT";
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

async function readBlocks(
  pool: SourcePool,
  file: LocatedFile,
  read: ShareRead,
  signal: AbortSignal,
): Promise<void> {
  const { share, source, isPatient, gatherings } = read;
  const range = rangeOf(gatherings);
  const wanted = { path: pathOf(file, share), range, share, isPatient, signal };
  let bytes: Uint8Array;
  try {
    bytes = await pool.member(source).read(wanted);
  } catch (error) {
    signal.throwIfAborted();
    if (!isMirrorError(error)) throw error;
    const refusal = { share, source, code: error.code, wasPatient: isPatient };
    for (const gathering of gatherings) gathering.refuse(refusal);
    return;
  }
  await checkBlocks(pool, read, wanted, bytes);
}

async function checkBlocks(
  pool: SourcePool,
  read: ShareRead,
  wanted: PooledRead,
  bytes: Uint8Array,
): Promise<void> {
  const { share, source, isPatient, gatherings } = read;
  const good = await allOver(
    gatherings.map((gathering) => {
      const start = gathering.item.offset - wanted.range.offset;
      const block = bytes.subarray(start, start + gathering.item.blockSizeBytes);
      return gathering.offer(share, block);
    }),
  );
  const bad = gatherings.filter((_, at) => good[at] === false);
  if (bad.length === 0) return;
  for (const gathering of bad) {
    gathering.refuse({ share, source, code: "BLOCK_CORRUPT", wasPatient: isPatient });
  }
  pool.member(source).refuse(wanted, "BLOCK_CORRUPT", bad.length);
}

function rangeOf(gatherings: readonly Gathering[]): PooledRead["range"] {
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
