/** Trees made for tests: the same seed makes the same tree, times included. */
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { Random } from "./random.js";

/** Every object's time until it is changed. */
const FIRST_TIME = 1_600_000_000;

/** Files in one folder of a generated tree. */
const FILES_PER_FOLDER = 50;

/** Makes `files` small text files below `root`, fifty to a folder. Returns their paths, relative to the root. */
export function makeTree(
  root: string,
  options: { readonly files: number; readonly meanSizeBytes?: number; readonly seed?: number },
): string[] {
  const random = new Random(options.seed ?? 1);
  const mean = options.meanSizeBytes ?? 600;
  mkdirSync(root, { recursive: true });
  const paths = Array.from({ length: options.files }, (_, number) => {
    const file = filePath(number);
    if (number % FILES_PER_FOLDER === 0)
      mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), sourceText(random, 1 + random.below(2 * mean)));
    return file;
  });
  setTimes(root, FIRST_TIME);
  return paths;
}

/** Writes a file and gives it and its folder a time of their own: duplicity sees no change without a change of time. */
export function writeTimed(
  root: string,
  file: string,
  content: string | Buffer,
  time: number,
): void {
  const full = path.join(root, file);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, content);
  utimesSync(full, time, time);
  touchFolders(root, file, time);
}

/** Rewrites `count` files of `paths`, chosen at random, with new text; each step has a later time. */
export function rewriteFiles(
  root: string,
  paths: readonly string[],
  options: { readonly count: number; readonly step: number },
): string[] {
  const random = new Random(1000 + options.step);
  const first = random.below(paths.length);
  const stride = Math.max(1, Math.floor(paths.length / options.count));
  return Array.from({ length: options.count }, (_, number) => {
    const file = paths[(first + number * stride) % paths.length] ?? "";
    writeTimed(root, file, sourceText(random, 1 + random.below(1200)), timeOfStep(options.step));
    return file;
  });
}

/** One step of a life: files rewritten, patched, added, removed, renamed, chmod'ed, and types that flip. */
export function liveOneStep(root: string, paths: readonly string[], step: number): void {
  const random = new Random(2000 + step);
  const time = timeOfStep(step);
  rewriteFiles(root, paths, { count: Math.ceil(paths.length / 10), step });
  for (let number = 0; number < 20; number++) {
    writeTimed(root, `added/${step}/file ${number}`, sourceText(random, 2000), time);
  }
  writeTimed(root, "large.bin", random.bytes(200_000 + step), time);
  chmodSync(path.join(root, random.pick(paths)), step % 2 === 0 ? 0o600 : 0o755);
  if (step > 1) {
    rmSync(path.join(root, `added/${step - 1}`), { recursive: true, force: true });
    touchFolders(root, `added/${step - 1}`, time);
  }
  flip(root, step, time);
}

/** A copy of `tree` as it is now, times of folders included, which Node's own copying leaves out. */
export async function copyTree(tree: string, copy: string): Promise<void> {
  await execa("cp", ["-a", "--", tree, copy]);
}

/** A time that no earlier step used. */
export function timeOfStep(step: number): number {
  return FIRST_TIME + 1000 * step;
}

/** Text that compresses as program text does. */
function sourceText(random: Random, sizeBytes: number): string {
  let text = "";
  while (text.length < sizeBytes) {
    const indent = "  ".repeat(random.below(4));
    text += `${indent}${random.pick(WORDS)} ${random.pick(WORDS)}_${random.below(1000)} = ${random.pick(WORDS)}(${random.next()});\n`;
  }
  return text.slice(0, sizeBytes);
}

const WORDS =
  "const let return function value result buffer index count length stream handle error message state config".split(
    " ",
  );

function filePath(number: number): string {
  const folder = Math.floor(number / FILES_PER_FOLDER);
  return `part-${folder % 10}/folder-${folder}/file-${number}.c`;
}

/** `flip/a` is a file, a folder, a symlink in turn; `flip/b` is renamed at every step. */
function flip(root: string, step: number, time: number): void {
  const object = path.join(root, "flip/a");
  rmSync(object, { recursive: true, force: true });
  mkdirSync(path.dirname(object), { recursive: true });
  if (step % 3 === 0) {
    symlinkSync(`target-${step}`, object);
    lutimesSync(object, time, time);
  } else if (step % 3 === 1) {
    writeTimed(root, "flip/a", `file of step ${step}`, time);
  } else {
    writeTimed(root, "flip/a/inside", `folder of step ${step}`, time);
  }
  if (step === 1) writeTimed(root, "flip/b-1", "always the same, under other names", time);
  else renameSync(path.join(root, `flip/b-${step - 1}`), path.join(root, `flip/b-${step}`));
  touchFolders(root, "flip/a", time);
}

function touchFolders(root: string, file: string, time: number): void {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    utimesSync(path.join(root, folder), time, time);
    if (folder === ".") return;
  }
}

function setTimes(folder: string, time: number): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) setTimes(full, time);
    else lutimesSync(full, time, time);
  }
  utimesSync(folder, time, time);
}
