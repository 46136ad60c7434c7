/**
 * What our own duplicity runs were worth, durably. A set whose run counted errors, or whose run we did not live to see
 * the end of, lists files as deleted that are not; it is published only below a later set without errors.
 */
import path from "node:path";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";

export interface Withheld {
  /** Names of sets. */
  readonly sets: ReadonlySet<string>;
  /** The newest set's time when a run began whose end was not recorded; 0 for an empty repository. */
  readonly runSince: number | undefined;
}

export function readWithheld(stateDirectory: string): Withheld {
  const bytes = readFileIfPresent(withheldPath(stateDirectory)) ?? new Uint8Array();
  const lines = Buffer.from(bytes).toString("latin1").split("\n").filter(Boolean);
  const run = lines.find((line) => line.startsWith(RUN_PREFIX));
  return {
    sets: new Set(lines.filter((line) => !line.startsWith(RUN_PREFIX))),
    runSince: run === undefined ? undefined : Number(run.slice(RUN_PREFIX.length)),
  };
}

export function writeWithheld(stateDirectory: string, withheld: Withheld): void {
  const run = withheld.runSince === undefined ? [] : [`${RUN_PREFIX}${withheld.runSince}`];
  const lines = [...run, ...withheld.sets].map((line) => `${line}\n`);
  makeFolder(stateDirectory);
  replaceFile(withheldPath(stateDirectory), Buffer.from(lines.join(""), "latin1"));
}

const RUN_PREFIX = "run ";

function withheldPath(stateDirectory: string): string {
  return path.join(stateDirectory, "withheld");
}
