/** Driving duplicity 0.8 to 3.x unattended (duplicity-format 11). */
import { pathToFileURL } from "node:url";
import { MirrorError } from "../errors.js";
import { type BackupStatistics, DuplicityLog } from "./duplicity-log.js";
import { type ProgramResult, runProgram } from "./run.js";

export interface DuplicityOptions {
  /** The folder that duplicity writes. */
  readonly repository: string;
  /** On the file system of the repository, so that manifests appear at once and whole. */
  readonly archiveDirectory: string;
  /** A killed run leaves a folder here. */
  readonly temporaryDirectory: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The time of the set in place of the clock's. */
  readonly currentTime?: number;
}

export interface BackupOptions extends DuplicityOptions {
  readonly tree: string;
  /** Rounded up to whole MiB, which is all that duplicity can do. */
  readonly volumeSizeBytes: number;
  readonly full: boolean;
  /** duplicity's patterns; one that begins neither with `/` nor with `**` is meant below the tree. */
  readonly exclude: readonly string[];
}

/** duplicity's name of its folder below the archive directory. */
const ARCHIVE_NAME = "dupmirror";

/** Where duplicity keeps its own copies, and `.part` files of a run that was interrupted. */
export function archiveFolder(archiveDirectory: string): string {
  return `${archiveDirectory}/${ARCHIVE_NAME}`;
}

/**
 * One backup: a full set where none is or when it is asked for, otherwise an increment. Leftovers of an
 * interrupted run must be cleaned up before: duplicity would resume it, and a resumed set can be wrong.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED with duplicity's own words
 */
export async function backUp(options: BackupOptions): Promise<BackupStatistics> {
  const log = await run(options, options.full ? ["full"] : [], [
    "--volsize",
    String(Math.max(1, Math.ceil(options.volumeSizeBytes / MIB))),
    "--allow-source-mismatch",
    ...options.exclude.flatMap((pattern) => ["--exclude", belowTree(pattern, options.tree)]),
    options.tree,
  ]);
  if (log.statistics !== undefined) return log.statistics;
  throw new MirrorError("PROGRAM_FAILED", "duplicity ended well but told no statistics");
}

/** Removes what an interrupted run left in the repository and in the archive directory. */
export async function cleanUp(options: DuplicityOptions): Promise<void> {
  await run(options, ["cleanup"], ["--force"]);
}

/** Removes all chains but the newest `keep` from the repository and the archive directory. */
export async function removeOldChains(
  options: DuplicityOptions & { readonly keep: number },
): Promise<void> {
  await run(options, ["remove-all-but-n-full", String(options.keep)], ["--force"]);
}

/** As duplicity tells it: `0.8.22`. @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED */
export async function duplicityVersion(options: { readonly signal: AbortSignal }): Promise<string> {
  const result = await runProgram({
    program: "duplicity",
    arguments: ["--version"],
    timeoutMs: VERSION_TIMEOUT_MS,
    signal: options.signal,
  });
  const version = /^duplicity (\S+)/m.exec(result.stdout)?.[1];
  if (version !== undefined) return version;
  throw failure(result, new DuplicityLog());
}

const MIB = 1024 * 1024;

const VERSION_TIMEOUT_MS = 30_000;

async function run(
  options: DuplicityOptions,
  action: readonly string[],
  more: readonly string[],
): Promise<DuplicityLog> {
  const log = new DuplicityLog();
  const { temporaryDirectory, currentTime, timeoutMs, signal } = options;
  const result = await runProgram({
    program: "duplicity",
    arguments: [
      ...action,
      ...["--archive-dir", options.archiveDirectory, "--name", ARCHIVE_NAME],
      ...["--tempdir", temporaryDirectory, "--num-retries", "2"],
      ...["--no-encryption", "--no-compression", "--verbosity", "4", "--log-fd", "3"],
      ...(currentTime === undefined ? [] : ["--current-time", String(currentTime)]),
      ...more,
      pathToFileURL(options.repository).href,
    ],
    environment: { TMPDIR: temporaryDirectory, PASSPHRASE: "" },
    stopSignal: "SIGINT",
    onLine: (line) => log.push(line),
    timeoutMs,
    signal,
  });
  if (result.exitCode !== 0) throw failure(result, log);
  return log;
}

/** duplicity matches whole paths, so the tree stands before the pattern, its own special characters disarmed. */
function belowTree(pattern: string, tree: string): string {
  if (/^(\/|\*\*|ignorecase:)/.test(pattern)) return pattern;
  return `${tree.replaceAll(/[*?[]/g, "[$&]").replace(/\/$/, "")}/${pattern}`;
}

function failure({ exitCode, stderr }: ProgramResult, log: DuplicityLog): MirrorError {
  const why = log.error ?? stderr.trim().split("\n").at(-1) ?? "";
  return new MirrorError("PROGRAM_FAILED", `duplicity ended with ${exitCode}: ${why}`);
}
