/** Reads back what the publication and its hosts hold, holds it against what was published, and makes it good. */
import type { MasterMirror } from "../config/master.js";
import { lockState } from "../daemon/lock.js";
import { isMirrorError } from "../errors.js";
import { allOver } from "../retrieve/settle.js";
import type { Runtime } from "../runtime.js";
import { PlaceCheck } from "./audit-check.js";
import { openPlaces, type Place } from "./audit-place.js";
import { PlaceRepair } from "./audit-repair.js";
import type { AuditReport } from "./audit-report.js";
import { choosePositions } from "./audit-sample.js";
import { listTables, readPacks, readTruth, type Truth } from "./audit-truth.js";
import { beginFilling } from "./filled.js";
import { checkMount } from "./push.js";
import { readSigningKey } from "./signing-key.js";

export interface AuditOptions {
  readonly config: MasterMirror;
  readonly runtime: Runtime;
  readonly repair: boolean;
  /** How many blocks of each share, and pages of tables of each place. */
  readonly sample: number | "all";
  readonly seed: number;
  readonly signal: AbortSignal;
}

/**
 * Locks the state directory: nothing is pushed meanwhile.
 * @throws MirrorError LOCKED; NO_SOURCE when no place knows what was published
 */
export async function auditOnce(options: AuditOptions): Promise<AuditReport> {
  const { config, runtime, signal } = options;
  const places = openPlaces(config, runtime);
  const lock = await lockState(config.stateDirectory, { signal });
  try {
    return await audit(places, options);
  } finally {
    await Promise.all(places.map(({ host }) => host.close()));
    lock.release();
  }
}

async function audit(places: readonly Place[], options: AuditOptions): Promise<AuditReport> {
  const { config, runtime, repair, seed, sample, signal } = options;
  const start = runtime.clock.monotonicMs();
  await allOver(places.map((place) => lookForMount(place, options)));
  const key = readSigningKey(config.signing.keyFile);
  const truth = await readTruth(places, { mirror: config.name, key, signal });
  const blockCount = await countBlocks(truth, places, signal);
  const pageCount = listTables(truth).reduce((sum, { pages }) => sum + pages.length, 0);
  const checks = places.map((place) => {
    const choose = (what: string, total: number) =>
      choosePositions({ seed, what: `${place.name} ${what}`, count: sample, total });
    const blocks = new Map<number, (position: number) => boolean>();
    const wantsBlock = (share: number, position: number): boolean => {
      const wants = blocks.get(share) ?? choose(`share ${share}`, blockCount);
      blocks.set(share, wants);
      return wants(position);
    };
    const wantsPage = choose("tables", pageCount);
    return new PlaceCheck(place, { truth, key, places, wantsBlock, wantsPage, signal });
  });
  await allOver(checks.map((check) => check.run()));
  if (repair) for (const check of checks) await repairAt(check, { truth, places, ...options });
  return {
    mirror: config.name,
    session: truth.head.session,
    generation: truth.head.generation,
    seed,
    sample,
    places: checks.map(({ place, checked, findings }) => {
      const { name, url } = place;
      const shares = config.hosts.find((host) => host.name === name)?.shares;
      return { name, url, shares: shares ?? allShares(truth), checked, findings };
    }),
    seconds: (runtime.clock.monotonicMs() - start) / 1000,
  };
}

/** A host whose folder is gone is a mount that is missing, as for a push. */
async function lookForMount(
  place: Place,
  { config, signal }: { readonly config: MasterMirror; readonly signal: AbortSignal },
): Promise<void> {
  if (place.isPublication) return;
  try {
    await checkMount(place.host, { stateDirectory: config.stateDirectory, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!isMirrorError(error)) throw error;
    place.giveUp(error);
  }
}

async function countBlocks(
  truth: Truth,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for await (const { blocks } of readPacks(truth, places, signal)) count += blocks.length;
  return count;
}

async function repairAt(
  check: PlaceCheck,
  options: AuditOptions & { readonly truth: Truth; readonly places: readonly Place[] },
): Promise<void> {
  const { place, findings } = check;
  const { stateDirectory } = options.config;
  if (findings.length === 0 || place.failure !== undefined) return;
  await new PlaceRepair(check, { ...options, stateDirectory }).run();
  // What this host was filled with beyond the head may be gone: the next cycle looks.
  if (!place.isPublication) beginFilling(stateDirectory, place.name);
}

function allShares({ chains }: Truth): number[] {
  const lines = chains.flatMap((chain) => chain.lines);
  const count = Math.max(0, ...lines.map(({ shape }) => shape.n));
  return Array.from({ length: count }, (_, share) => share);
}
