/** Engine `run`: one run of duplicity, after which is known and written down what the new set is worth. */
import path from "node:path";
import type { MasterMirror } from "../config/master.js";
import { makeFolder, removeFolder } from "../disk/durable.js";
import { listFolder } from "../disk/files.js";
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
  const { config, signal } = options;
  const { tree, stateDirectory, guard } = config;
  const count = await guardTree({ tree, stateDirectory, ...guard, signal });
  await removeLeftovers(options);
  const before = newestTime(readRepository(config.repository));
  const { sets } = readWithheld(stateDirectory);
  writeWithheld(stateDirectory, { sets, runSince: before });
  const statistics = await backUp({
    ...placesOf(config),
    tree,
    volumeSizeBytes: config.duplicity.volumeSizeBytes,
    full: options.full,
    fullEverySeconds: Math.floor(config.duplicity.fullEveryMs / 1000),
    exclude: [OWN_FOLDER, ...config.duplicity.exclude],
    timeoutMs: config.duplicity.timeoutMs,
    signal,
  });
  if (statistics.errors === 0) {
    writeWithheld(stateDirectory, { sets, runSince: undefined });
    rememberCount(stateDirectory, count);
  } else {
    writeWithheld(stateDirectory, withholdSince(config, { sets, runSince: before }));
  }
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
  const leftover = findLeftover(places.archiveDirectory);
  if (leftover === undefined) return;
  runtime.log.warn("backup.leftover", { mirror: config.name, file: leftover });
  await cleanUp({ ...places, timeoutMs: config.duplicity.timeoutMs, signal });
}

function findLeftover(archiveDirectory: string): string | undefined {
  const names = listFolder(archiveFolder(archiveDirectory));
  return names.find((name) => /\.(?:part|p)(?:\.|$)/.test(name));
}

function placesOf(config: MasterMirror): {
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
