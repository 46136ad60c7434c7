/** One cycle of a master: back up, encode, publish, push, retain (docs/architecture.md). */
import type { MasterMirror } from "../config/master.js";
import { lockState } from "../daemon/lock.js";
import { formatSetName } from "../duplicity/names.js";
import { isMirrorError, type MirrorError } from "../errors.js";
import type { Head } from "../manifest/head.js";
import type { SigningKey } from "../manifest/keys.js";
import type { Runtime } from "../runtime.js";
import { backUpTree, settleRuns } from "./back-up.js";
import { type Choice, chooseSets, verifyPublished } from "./choose.js";
import { type CycleEnd, writeCycleRecord } from "./cycle-record.js";
import { type EncodedSets, encodeSets } from "./encode-sets.js";
import { Hosts } from "./hosts.js";
import { lookAtSuspects } from "./look-at-suspects.js";
import { type NextHead, planHead } from "./next-head.js";
import { Publication } from "./publication.js";
import { type MissedFile, PhaseTimes, type PublishReport } from "./report.js";
import { hashManifests, readRepository } from "./repository.js";
import { removeRetired } from "./retain.js";
import { readSigningKey } from "./signing-key.js";
import { listSources } from "./sources.js";
import { Suspects } from "./suspects.js";
import { thinOutRepository } from "./thin-out.js";
import { readWithheld } from "./withheld.js";

export interface CycleOptions {
  readonly config: MasterMirror;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  /** Engine `run`: a full set, whatever its age. */
  readonly full?: boolean;
}

/** Locks the state directory, and runs one cycle. @throws MirrorError LOCKED while a daemon runs */
export async function publishOnce(options: CycleOptions): Promise<PublishReport> {
  const lock = await lockState(options.config.stateDirectory, options);
  try {
    return await runCycle({ ...options, isBackupDue: true, manifestHashes: new Map() });
  } finally {
    lock.release();
  }
}

/** For whoever holds the lock. */
export async function runCycle(
  options: CycleOptions & {
    /** Engine `run`: whether duplicity shall run; otherwise only what is there is published. */
    readonly isBackupDue: boolean;
    /** Remembered from one cycle to the next: what is known of manifests that did not change. */
    readonly manifestHashes: Map<string, string>;
  },
): Promise<PublishReport> {
  const { config, runtime } = options;
  const record = (ended: Omit<CycleEnd, "endedAt">): void =>
    writeCycleRecord(config.stateDirectory, { endedAt: runtime.clock.now(), ...ended });
  try {
    const report = await doCycle(options);
    record({ report });
    return report;
  } catch (error) {
    recordFailure(() => record({ error }), runtime);
    throw error;
  }
}

/** On a full disk the reason of the failure is still told, if not kept. */
function recordFailure(record: () => void, { log }: Runtime): void {
  try {
    record();
  } catch (error) {
    log.warn("cycle.unrecorded", { message: String(error) });
  }
}

type DoCycleOptions = Parameters<typeof runCycle>[0];

async function doCycle(options: DoCycleOptions): Promise<PublishReport> {
  const { config, runtime, signal } = options;
  const times = new PhaseTimes(runtime.clock);
  const key = readSigningKey(config.signing.keyFile);
  const publication = openPublication(config, key);
  const { stateDirectory } = config;
  const failure = await times.measure("backup", () => backUp(options));
  const hosts = Hosts.open(config, { publication, stateDirectory, key, runtime, signal });
  try {
    const { failure: later, report } = await publish(options, { publication, hosts, times });
    const first = failure ?? later;
    if (first !== undefined) throw first;
    const { head } = publication;
    await times.measure("retain", () => thinOutRepository({ config, head, runtime, signal }));
    return { ...report, seconds: times.seconds };
  } catch (error) {
    if (signal.aborted || !isMirrorError(error)) throw error;
    throw failure ?? error;
  } finally {
    await hosts.close();
  }
}

/** All but the backup; whatever became of that, what is there is published, and the head is kept from growing old. */
async function publish(
  options: DoCycleOptions,
  using: {
    readonly publication: Publication;
    readonly hosts: Hosts;
    readonly times: PhaseTimes;
  },
): Promise<{ readonly report: PublishReport; readonly failure: MirrorError | undefined }> {
  const { config, runtime, signal } = options;
  const { publication, hosts, times } = using;
  const choice = await times.measure("choose", () => choose(options, publication));
  const suspects = Suspects.open(config.stateDirectory, runtime.log);
  const encoded = await times.measure("encode", () =>
    encodeSets(choice.sets, {
      publication,
      suspects,
      repository: config.repository,
      shape: config.shares,
      runtime,
      signal,
    }),
  );
  const next = planNextHead(options, publication);
  await times.measure("push", () => hosts.fill(next));
  if (next !== undefined) publication.publish(next.head);
  await times.measure("push", () => hosts.announce());
  const removed = await times.measure("retain", () => retain(options, publication, hosts));
  const missed = await times.measure("look", () => lookAtSuspects(suspects, options));
  const { seconds } = times;
  const done = { publication, next, choice, encoded, hosts, removed, missed, seconds };
  const report = makeReport(options, done);
  return { report, failure: encoded.failure };
}

function openPublication(config: MasterMirror, key: SigningKey): Publication {
  return Publication.open({
    folder: config.publication,
    stateDirectory: config.stateDirectory,
    mirror: config.name,
    key,
  });
}

/** @returns why nothing was backed up, which ends the cycle badly, but not at once */
async function backUp(options: DoCycleOptions): Promise<MirrorError | undefined> {
  const { config, runtime, full, isBackupDue, signal } = options;
  if (config.duplicity.engine === "external") return undefined;
  settleRuns(config);
  if (!isBackupDue) return undefined;
  try {
    const { errors } = await backUpTree({ config, runtime, full: full ?? false, signal });
    if (errors > 0) {
      const advice = "its set waits for a later one without errors: make the tree readable";
      runtime.log.error("backup.errors", { mirror: config.name, errors, advice });
    }
    return undefined;
  } catch (error) {
    if (signal.aborted || !isMirrorError(error)) throw error;
    settleRuns(config);
    return error;
  }
}

async function choose(
  { config, manifestHashes, signal }: DoCycleOptions,
  publication: Publication,
): Promise<Choice> {
  const repository = readRepository(config.repository);
  const { chains } = repository;
  const published = publication.chains;
  const names = published.flatMap(({ lines }) => lines.map((line) => formatSetName(line.set)));
  const hashes = await hashManifests(repository, new Set(names), { cache: manifestHashes, signal });
  verifyPublished({ chains, published, hashes });
  const withheld = readWithheld(config.stateDirectory).sets;
  return chooseSets({ chains, published, withheld, retainChains: config.retain.chains });
}

function planNextHead(
  { config, runtime }: DoCycleOptions,
  publication: Publication,
): NextHead | undefined {
  return planHead({
    mirror: config.name,
    session: publication.session,
    published: publication.head,
    chains: publication.chains,
    withheld: readWithheld(config.stateDirectory).sets,
    sources: listSources(config),
    retainChains: config.retain.chains,
    lifetimeMs: config.headLifetimeMs,
    now: runtime.clock.now(),
  });
}

async function retain(
  { config, runtime }: DoCycleOptions,
  publication: Publication,
  hosts: Hosts,
): Promise<string[]> {
  return await removeRetired({
    publication,
    stateDirectory: config.stateDirectory,
    hosts,
    graceMs: config.retain.graceMs,
    now: runtime.clock.now(),
  });
}

function makeReport(
  { config }: DoCycleOptions,
  done: {
    readonly publication: Publication;
    readonly next: NextHead | undefined;
    readonly choice: Choice;
    readonly encoded: EncodedSets;
    readonly hosts: Hosts;
    readonly removed: readonly string[];
    readonly missed: readonly MissedFile[];
    readonly seconds: Readonly<Record<string, number>>;
  },
): PublishReport {
  const head: Head | undefined = done.publication.head;
  return {
    mirror: config.name,
    session: head?.session,
    generation: head?.generation ?? 0,
    newest: head === undefined ? undefined : formatSetName(head.newest.set),
    published: done.next?.why ?? "nothing",
    sets: done.encoded.sets,
    withheld: done.choice.withheld,
    waiting: done.encoded.waiting,
    missed: done.missed,
    hosts: done.hosts.report(),
    removed: done.removed,
    seconds: done.seconds,
  };
}
