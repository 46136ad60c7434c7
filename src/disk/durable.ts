/**
 * Changes of our own files that outlive a loss of power once they are synced. Order is the caller's: bytes
 * first, then what names them.
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { diskFailure, systemCode } from "./disk-failure.js";
import { writeAll } from "./file-io.js";

/**
 * Readers see the old bytes or the new ones, also after a crash. One writer at a time: the new file is made
 * under a name of its own beside the old one, and what a crash left there is written over.
 * @throws MirrorError DISK_SPACE, DISK_FAILED
 */
export function replaceFile(
  file: string,
  bytes: Uint8Array,
  options: { readonly mode?: number } = {},
): void {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.new`);
  doing(`cannot write ${file}`, () => {
    removeIfPresent(beside);
    try {
      writeDurably(beside, bytes, options.mode ?? 0o644);
      renameSync(beside, file);
    } catch (error) {
      removeIfPresent(beside);
      throw error;
    }
  });
  syncFolder(path.dirname(file));
}

/** Writes at `offset` of a file that is made if there is none. Not durable before `syncFile`. */
export function writeAt(file: string, offset: number, bytes: Uint8Array): void {
  withFile(file, constants.O_WRONLY | constants.O_CREAT, "write", (descriptor) => {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
    }
  });
}

/** Cuts the file. Not durable before `syncFile`. */
export function truncateFile(file: string, sizeBytes: number): void {
  withFile(file, constants.O_WRONLY, "truncate", (descriptor) => {
    ftruncateSync(descriptor, sizeBytes);
  });
}

/** Gives a file that is synced its name, in the place of what had it; both names lie in one folder. */
export function moveFile(from: string, to: string): void {
  doing(`cannot rename ${from} to ${to}`, () => renameSync(from, to));
  syncFolder(path.dirname(to));
}

export function syncFile(file: string): void {
  withFile(file, constants.O_RDONLY, "sync", (descriptor) => fsyncSync(descriptor));
}

/** Makes durable which names are in the folder. */
export function syncFolder(folder: string): void {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  withFile(folder, flags, "sync", (descriptor) => fsyncSync(descriptor));
}

/**
 * Makes the folder and those above it that are missing; one that stands keeps its mode. One by one: node's
 * own recursion never ends where a folder can neither be made nor be found to be missing.
 * @throws MirrorError DISK_SPACE, DISK_FAILED
 */
export function makeFolder(folder: string, mode = 0o755): void {
  const what = `cannot make the folder ${folder}`;
  for (const missing of doing(what, () => missingFolders(path.resolve(folder)))) {
    doing(what, () => makeIfMissing(missing, mode));
    syncFolder(path.dirname(missing));
  }
}

/** `folder` and those above it that are no folders, the topmost first. */
function missingFolders(folder: string): string[] {
  const missing: string[] = [];
  for (let place = folder; !isFolder(place); place = path.dirname(place)) {
    missing.push(place);
    if (place === path.dirname(place)) break;
  }
  return missing.reverse();
}

function isFolder(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
}

function makeIfMissing(folder: string, mode: number): void {
  try {
    mkdirSync(folder, mode);
  } catch (error) {
    if (systemCode(error) !== "EEXIST" || !isFolder(folder)) throw error;
  }
}

/** Removes a folder with all in it, if it is there. Symlinks are removed, never followed. */
export function removeFolder(folder: string): void {
  doing(`cannot remove ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
  syncFolderIfPresent(path.dirname(folder));
}

/** Removes a file, if it is there. */
export function removeFile(file: string): void {
  doing(`cannot remove ${file}`, () => removeIfPresent(file));
  syncFolderIfPresent(path.dirname(file));
}

function writeDurably(file: string, bytes: Uint8Array, mode: number): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const descriptor = openSync(file, flags, mode);
  try {
    fchmodSync(descriptor, mode);
    writeAll(descriptor, bytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function removeIfPresent(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** Where nothing was, nothing was removed. */
function syncFolderIfPresent(folder: string): void {
  if (existsSync(folder)) syncFolder(folder);
}

function withFile(
  file: string,
  flags: number,
  verb: string,
  use: (descriptor: number) => void,
): void {
  doing(`cannot ${verb} ${file}`, () => {
    const descriptor = openSync(file, flags, 0o644);
    try {
      use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

function doing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskFailure(error, what);
  }
}
