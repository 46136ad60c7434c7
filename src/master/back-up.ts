/** Engine `run`: duplicity runs, and after each run is known and written down what the new set is worth. */
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { MasterMirror } from "../config/master.js";
import { makeFolder, removeFile, removeFolder } from "../disk/durable.js";
import { listFolder } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { archiveFolder, backUp, cleanUp } from "../programs/duplicity.js";
import type { BackupStatistics } from "../programs/duplicity-log.js";
import type { Runtime } from "../runtime.js";
import { guardTree, OWN_FOLDER, rememberCount } from "./guard.js";
import { newestTime, readRepository, setsAfter } from "./repository.js";
import { readWithheld, type Withheld, writeWithheld } from "./withheld.js";

export interface BackUpOptions {
  readonly config: MasterMirror;
  readonly runtime: Runtime;
  readonly full: boolean;
  readonly signal: AbortSignal;
}

/** @throws MirrorError TREE_MISSING, TREE_EMPTY, TREE_SHRUNK, PROGRAM_MISSING, PROGRAM_FAILED */
export async function backUpTree(options: BackUpOptions): Promise<BackupStatistics> {
  const { tree, stateDirectory, guard } = options.config;
  const count = await guardTree({ tree, stateDirectory, ...guard, signal: options.signal });
  const full = options.full || isFullDue(options);
  if (full) await endChain(options);
  const statistics = await runOnce({ ...options, full });
  if (statistics.errors === 0) rememberCount(stateDirectory, count);
  return statistics;
}

/** Whether the newest chain is too old to grow. */
function isFullDue({ config, runtime }: BackUpOptions): boolean {
  const newest = readRepository(config.repository).chains.at(-1);
  if (newest === undefined) return false;
  return runtime.clock.now() - newest.full.id.time * 1000 >= config.duplicity.fullEveryMs;
}

/**
 * Before a new chain the old one gets a last increment: replicas follow the old chain to its end, and then find in the full
 * set next to nothing that they lack. Should it fail, the full set is all the more wanted.
 */
async function endChain(options: BackUpOptions): Promise<void> {
  const { config, runtime, signal } = options;
  const { chains } = readRepository(config.repository);
  if (chains.length === 0 || config.retain.chains === 1) return;
  try {
    await runOnce({ ...options, full: false });
  } catch (error) {
    if (signal.aborted || !isMirrorError(error)) throw error;
    settleRuns(config);
    runtime.log.warn("chain.unended", { mirror: config.name, reason: error.message });
  }
}

/** One run of duplicity, and what is remembered of it. */
async function runOnce(options: BackUpOptions): Promise<BackupStatistics> {
  const { config, signal } = options;
  const { tree, stateDirectory } = config;
  await removeLeftovers(options);
  const before = newestTime(readRepository(config.repository));
  await waitForSecondAfter(before, options);
  const { sets } = readWithheld(stateDirectory);
  writeWithheld(stateDirectory, { sets, runSince: before });
  const statistics = await backUp({
    ...placesOf(config),
    tree,
    volumeSizeBytes: config.duplicity.volumeSizeBytes,
    full: options.full,
    exclude: [OWN_FOLDER, ...config.duplicity.exclude],
    timeoutMs: config.duplicity.timeoutMs,
    signal,
  });
  const isClean = statistics.errors === 0;
  const withheld = { sets, runSince: isClean ? undefined : before };
  writeWithheld(stateDirectory, isClean ? withheld : withholdSince(config, withheld));
  return statistics;
}

/** A run whose end nobody recorded may have had errors: what it wrote waits for a later set without. */
export function settleRuns(config: MasterMirror): Withheld {
  const withheld = readWithheld(config.stateDirectory);
  if (withheld.runSince === undefined) return withheld;
  const settled = withholdSince(config, withheld);
  writeWithheld(config.stateDirectory, settled);
  return settled;
}

/**
 * Sets are named by the second they began in: a full set in the second of the set before it would be written over it, and one
 * before it would not be the newest.
 */
async function waitForSecondAfter(
  time: number,
  { config, runtime, signal }: BackUpOptions,
): Promise<void> {
  const waitMs = (time + 1) * 1000 - runtime.clock.now();
  if (waitMs > CLOCK_TOLERANCE_MS) {
    throw new MirrorError(
      "REPOSITORY_INVALID",
      `repository ${config.repository}: its newest set is ${Math.round(waitMs / 1000)} s in the future: ` +
        "nothing was backed up; is the clock right?",
    );
  }
  if (waitMs > 0) await setTimeout(waitMs, undefined, { signal });
}

const CLOCK_TOLERANCE_MS = 10_000;

function withholdSince(config: MasterMirror, { sets, runSince }: Withheld): Withheld {
  const doubtful = setsAfter(readRepository(config.repository), runSince ?? 0);
  return { sets: new Set([...sets, ...doubtful]), runSince: undefined };
}

/** An interrupted backup is never resumed: a file that changed meanwhile would be in no volume (duplicity-format 10.2). */
async function removeLeftovers(options: BackUpOptions): Promise<void> {
  const { config, runtime, signal } = options;
  const places = placesOf(config);
  removeFolder(places.temporaryDirectory);
  for (const folder of [places.repository, places.archiveDirectory, places.temporaryDirectory]) {
    makeFolder(folder, 0o700);
  }
  const leftovers = findLeftovers(places.archiveDirectory);
  const [leftover] = leftovers;
  if (leftover === undefined) return;
  runtime.log.warn("backup.leftover", { mirror: config.name, file: leftover });
  await cleanUp({ ...places, timeoutMs: config.duplicity.timeoutMs, signal });
  for (const file of leftovers) removeFile(file);
}

/** What an unfinished set is known by; duplicity would go on with it. */
function findLeftovers(archiveDirectory: string): string[] {
  const folder = archiveFolder(archiveDirectory);
  const names = listFolder(folder).filter((name) => /\.(?:part|p)(?:\.|$)/.test(name));
  return names.map((name) => path.join(folder, name));
}

/** What every run of our own duplicity works with. */
export function placesOf(config: MasterMirror): {
  readonly repository: string;
  readonly archiveDirectory: string;
  readonly temporaryDirectory: string;
} {
  return {
    repository: config.repository,
    archiveDirectory: path.join(config.stateDirectory, "archive"),
    temporaryDirectory: path.join(config.stateDirectory, "temporary"),
  };
}
