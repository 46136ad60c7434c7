/** Repositories that real duplicity writes, for masters that publish what somebody else backed up. */
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { execaSync } from "execa";
import { liveOneStep, makeTree } from "../../support/trees.js";

export const DUPLICITY = "duplicity";

/** Why tests with duplicity cannot run here; undefined when they can. */
export const NO_DUPLICITY = findDuplicity();

interface BackUpOptions {
  readonly folder: string;
  readonly time: number;
  readonly compress?: boolean;
  readonly full?: boolean;
  /** In MiB; 1 when not given. */
  readonly volumeSize?: number;
}

/** Of the full set; each later one is a day younger. */
export const FIRST_SET_TIME = 1_700_000_000;
export const DAY_SECONDS = 86_400;

/** Backs up `folder/tree` into `folder/repository`. */
export function backUpTo(options: BackUpOptions): void {
  mkdirSync(path.join(options.folder, "repository"), { recursive: true });
  execaSync(DUPLICITY, backUpWords(options), { env: { LC_ALL: "C.UTF-8" } });
}

/** What duplicity is asked for a backup of `folder/tree` into `folder/repository`, which is there. */
export function backUpWords(options: BackUpOptions): readonly string[] {
  const { folder, time, compress, full, volumeSize = 1 } = options;
  return [
    ...(full === true ? ["full"] : []),
    ...["--archive-dir", path.join(folder, "archive"), "--name", "test"],
    ...["--volsize", `${volumeSize}`],
    ...["--no-encryption", ...(compress === true ? [] : ["--no-compression"])],
    ...["--allow-source-mismatch", "--current-time", `${time}`],
    path.join(folder, "tree"),
    `file://${path.join(folder, "repository")}`,
  ];
}

/** A tree that changes from set to set, and its repository: a full set and `increments` more. */
export function makeRepository(
  folder: string,
  options: { readonly increments: number; readonly compress?: boolean; readonly files?: number },
): void {
  const tree = path.join(folder, "tree");
  const paths = makeTree(tree, { files: options.files ?? 120, meanSizeBytes: 4000 });
  for (let step = 0; step <= options.increments; step++) {
    if (step > 0) liveOneStep(tree, paths, step);
    backUpTo({ folder, time: FIRST_SET_TIME + step * DAY_SECONDS, ...options });
  }
}

/** Copies tree, repository and duplicity's archive, so that they can go another way. */
export function copyRepository(from: string, to: string): void {
  for (const part of ["tree", "repository", "archive"]) {
    cpSync(path.join(from, part), path.join(to, part), {
      recursive: true,
      preserveTimestamps: true,
    });
  }
}

/** The repository's files whose name holds `part`. */
export function filesWith(repository: string, part: string): string[] {
  const names = readdirSync(repository).filter((name) => name.includes(part));
  return names.map((name) => path.join(repository, name));
}

/** Removes the newest sets, so that `count` are left; they can be copied back one by one. */
export function keepSets(repository: string, count: number): void {
  for (let step = count; step < 40; step++) {
    const time = formatTime(FIRST_SET_TIME + step * DAY_SECONDS);
    for (const file of filesWith(repository, `.to.${time}`)) rmSync(file);
  }
}

function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d+/g, "");
}

function findDuplicity(): string | undefined {
  const { exitCode } = execaSync(DUPLICITY, ["--version"], { reject: false });
  return exitCode === 0 ? undefined : "skipped: duplicity is not installed";
}
