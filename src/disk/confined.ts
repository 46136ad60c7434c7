/**
 * All that a replica does to its tree. Nothing is read, written, changed or deleted outside the root: every
 * path is a `TreePath`, its directories are opened one by one without following a symlink, and the last
 * component is never followed either. That holds whoever changes the tree meanwhile; only somebody who may
 * move a whole directory out of the root takes along what is written there.
 *
 * Synchronous, as files are small and many: a call through the thread pool costs more than the work.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import {
  baseName,
  childPath,
  displayPath,
  latin1String,
  parentPath,
  ROOT,
  type TreePath,
} from "../bytes/tree-path.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { WORKING_FILE_MAX_BYTES } from "../limits.js";
import { type Directory, DirectoryCache, O_PATH, placeIn } from "./directory-cache.js";
import { describe, isOutOfSpace, outOfSpace, systemCode } from "./disk-failure.js";
import { fileSize, readExactly, writeAll } from "./file-io.js";

export type { Stats };

/** What is absent stays as it is. `mtime` is in whole seconds. */
export interface FileAttributes {
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly mtime?: number | undefined;
}

/**
 * The time of the last change of content, in whole seconds. As in duplicity, it goes through a double: a
 * tenth of a microsecond below the next second counts as that second (duplicity-format 9).
 */
export function mtimeSeconds(stat: { readonly mtimeMs: number }): number {
  return Math.floor(stat.mtimeMs / 1000);
}

/**
 * Every method throws MirrorError: TREE_DIVERGED when the tree is not as the caller thinks (something is
 * missing, in the way, or of another type), DISK_SPACE, PATH_REFUSED when the root itself would be replaced
 * or removed, DISK_FAILED for the rest.
 */
export class ConfinedTree {
  readonly root: string;
  readonly #directories: DirectoryCache;
  readonly #device: number;

  private constructor(root: string, descriptor: number) {
    this.root = root;
    this.#directories = new DirectoryCache(descriptor);
    this.#device = fstatSync(descriptor).dev;
  }

  /** The root itself may be reached through symlinks. @throws MirrorError TREE_MISSING, DISK_FAILED */
  static open(root: string): ConfinedTree {
    try {
      return new ConfinedTree(root, openSync(root, O_PATH | constants.O_DIRECTORY));
    } catch (cause) {
      const code = systemCode(cause);
      if (code === undefined) throw cause;
      const isMissing = code === "ENOENT" || code === "ENOTDIR";
      const message = `tree ${root}: ${describe(cause)}`;
      throw new MirrorError(isMissing ? "TREE_MISSING" : "DISK_FAILED", message, { cause });
    }
  }

  close(): void {
    this.#directories.close();
  }

  /** `undefined` when there is no such path, also when a symlink stands where it needs a directory. */
  lstat(path: TreePath): Stats | undefined {
    const directory = this.#findDirectory(parentPath(path));
    if (directory === undefined) return undefined;
    try {
      return lstatSync(placeIn(directory, baseName(path) || "."), { throwIfNoEntry: false });
    } catch (error) {
      throw this.#failure(error, "look at", path);
    }
  }

  /** The names in a directory, in no order. */
  list(path: TreePath): string[] {
    try {
      return readdirSync(this.#directories.open(path).prefix, "latin1");
    } catch (error) {
      throw this.#failure(error, "list", path);
    }
  }

  /** As `list`, with the one thing about each that costs nothing. */
  listTyped(path: TreePath): { readonly name: string; readonly isDirectory: boolean }[] {
    try {
      const place = Buffer.from(this.#directories.open(path).prefix);
      const found = readdirSync(place, { encoding: "buffer", withFileTypes: true });
      return found.map((one) => ({
        name: latin1String(one.name),
        isDirectory: one.isDirectory(),
      }));
    } catch (error) {
      throw this.#failure(error, "list", path);
    }
  }

  /** A symlink's target, as latin1. */
  readLink(path: TreePath): string {
    return this.#act("read the link", path, (place) => readlinkSync(place, "latin1"));
  }

  /** A descriptor for reading a regular file; the caller closes it. */
  openFile(path: TreePath): number {
    return this.#act("open", path, (place) => {
      const descriptor = openSync(place, OPEN_FOR_READING);
      if (fstatSync(descriptor).isFile()) return descriptor;
      closeSync(descriptor);
      throw new MirrorError("TREE_DIVERGED", `${this.#name(path)}: not a regular file`);
    });
  }

  /** A working file of our own, as latin1; `undefined` when there is none. */
  readSmallFile(path: TreePath): string | undefined {
    if (this.lstat(path) === undefined) return undefined;
    const descriptor = this.openFile(path);
    try {
      const sizeBytes = Math.min(fileSize(descriptor), WORKING_FILE_MAX_BYTES);
      return latin1String(readExactly(descriptor, 0, sizeBytes));
    } finally {
      closeSync(descriptor);
    }
  }

  /** A new directory with exactly this mode, whatever the umask. */
  makeDirectory(path: TreePath, mode: number): void {
    this.#act("make the directory", path, (place, directory) => {
      mkdirSync(place, mode);
      this.#directories.forget(path);
      if (directory.provenDirectoryMode === mode) return;
      if (modeOf(lstatSync(place)) === mode) directory.provenDirectoryMode = mode;
      else changeMode(place, mode);
    });
  }

  /**
   * Makes the directory, with `mode`, if it is missing, and those above it with 0700; others may do the same meanwhile.
   * @returns whether it was made here
   */
  ensureDirectory(path: TreePath, mode = 0o700): boolean {
    if (this.#isDirectory(path)) return false;
    const missing: TreePath[] = [];
    for (let up = parentPath(path); !this.#isDirectory(up); up = parentPath(up)) missing.push(up);
    for (const one of missing.reverse()) this.#makeUnlessThere(one, 0o700);
    return this.#makeUnlessThere(path, mode);
  }

  #makeUnlessThere(path: TreePath, mode: number): boolean {
    try {
      this.makeDirectory(path, mode);
      return true;
    } catch (error) {
      if (!isMirrorError(error, "TREE_DIVERGED") || !this.#isDirectory(path)) throw error;
      return false;
    }
  }

  /** A new file: nothing may stand there. Mode 0600 unless another is given, exact whatever the umask. */
  writeFile(path: TreePath, bytes: Uint8Array, attributes: FileAttributes = {}): void {
    this.#act("write", path, (place, directory) => {
      const mode = attributes.mode ?? 0o600;
      const descriptor = openSync(place, CREATE_FILE, mode & 0o777);
      try {
        writeAll(descriptor, bytes);
        finishFile(descriptor, directory, { ...attributes, mode });
      } catch (error) {
        unlinkSync(place);
        throw error;
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /** A descriptor for writing a new file of mode 0600; the caller closes it. */
  createFile(path: TreePath): number {
    return this.#act("create", path, (place) => openSync(place, CREATE_FILE, 0o600));
  }

  /** A descriptor for writing at the end of a regular file that has this size; the caller closes it. */
  appendToFile(path: TreePath, sizeBytes: number): number {
    return this.#act("append to", path, (place) => {
      const descriptor = openSync(place, APPEND_TO_FILE);
      const stat = fstatSync(descriptor);
      if (stat.isFile() && stat.size === sizeBytes) return descriptor;
      closeSync(descriptor);
      throw new MirrorError("TREE_DIVERGED", `${this.#name(path)}: not the file that was begun`);
    });
  }

  /** A new symlink to `target`, which is latin1. */
  symlink(target: string, path: TreePath): void {
    this.#act("make the link", path, (place) => symlinkSync(Buffer.from(target, "latin1"), place));
  }

  /** Replaces what is not a directory, or a directory by a directory if it is empty. */
  rename(from: TreePath, to: TreePath): void {
    this.#refuseRoot("rename", from);
    this.#refuseRoot("rename", to);
    try {
      this.#directories.forget(from);
      this.#directories.forget(to);
      const [source, target] = this.#directories.openBoth(parentPath(from), parentPath(to));
      renameSync(placeIn(source, baseName(from)), placeIn(target, baseName(to)));
    } catch (error) {
      throw this.#failure(error, `rename ${displayPath(from)} to`, to);
    }
  }

  /** Removes what is not a directory; whether there was anything. */
  unlink(path: TreePath): boolean {
    if (this.#findDirectory(parentPath(path)) === undefined) return false;
    return this.#act("remove", path, (place) => isDone(() => unlinkSync(place)));
  }

  /** Removes an empty directory; whether there was one. */
  removeDirectory(path: TreePath): boolean {
    if (this.#findDirectory(parentPath(path)) === undefined) return false;
    this.#directories.forget(path);
    return this.#act("remove the directory", path, (place) => isDone(() => rmdirSync(place)));
  }

  /** Removes a directory if it is empty; whether it is gone. */
  removeDirectoryIfEmpty(path: TreePath): boolean {
    if (this.#findDirectory(parentPath(path)) === undefined) return true;
    this.#directories.forget(path);
    return this.#act("remove the directory", path, (place) =>
      isDone(() => rmdirSync(place), "ENOTEMPTY", "EEXIST"),
    );
  }

  /**
   * Removes `path` and all below it; whether there was anything. Directories that we may not enter or
   * change are made so first. Does not go below a mount point.
   */
  removeTree(path: TreePath): boolean {
    const stat = this.lstat(path);
    if (stat === undefined) return false;
    if (!stat.isDirectory()) return this.unlink(path);
    const waiting = [{ directory: path, isEmptied: false }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { directory, isEmptied } = next;
      if (isEmptied) {
        this.removeDirectory(directory);
        continue;
      }
      waiting.push({ directory, isEmptied: true });
      for (const below of this.#removeEntries(directory)) {
        waiting.push({ directory: below, isEmptied: false });
      }
    }
    return true;
  }

  /** Owner, then mode, then time, as a change of owner clears set-id bits. Of a symlink, the mode stays. */
  setAttributes(path: TreePath, attributes: FileAttributes): void {
    const { mode, uid, gid, mtime } = attributes;
    try {
      const place = placeIn(this.#directories.open(parentPath(path)), baseName(path) || ".");
      if (uid !== undefined || gid !== undefined) lchownSync(place, uid ?? -1, gid ?? -1);
      if (mode !== undefined) changeMode(place, mode);
      if (mtime !== undefined) lutimesSync(place, nodeTime(mtime), nodeTime(mtime));
    } catch (error) {
      throw this.#failure(error, "set the attributes of", path);
    }
  }

  /** As `setAttributes`, but only of a directory: where none stands, nothing is done. */
  setDirectoryAttributes(path: TreePath, attributes: FileAttributes): void {
    let descriptor: number;
    try {
      const place = placeIn(this.#directories.open(parentPath(path)), baseName(path) || ".");
      descriptor = openSync(place, OPEN_DIRECTORY);
    } catch (error) {
      const code = systemCode(error);
      if (isAbsent(code)) return;
      if (code !== "EACCES") throw this.#failure(error, "open", path);
      // A directory's owner may change it without the right to read it.
      if (this.lstat(path)?.isDirectory() === true) this.setAttributes(path, attributes);
      return;
    }
    const { mode, uid, gid, mtime } = attributes;
    try {
      if (uid !== undefined || gid !== undefined) fchownSync(descriptor, uid ?? -1, gid ?? -1);
      if (mode !== undefined) fchmodSync(descriptor, mode);
      if (mtime !== undefined) futimesSync(descriptor, nodeTime(mtime), nodeTime(mtime));
    } catch (error) {
      throw this.#failure(error, "set the attributes of", path);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Lends a path that other processes of the same user can use until `use` is over. */
  async withHostPath<T>(path: TreePath, use: (hostPath: Buffer) => Promise<T>): Promise<T> {
    const descriptor = this.#act("open the directory of", path, (_, directory) =>
      openSync(directory.prefix, O_PATH | constants.O_DIRECTORY),
    );
    try {
      const place = `/proc/${process.pid}/fd/${descriptor}/${baseName(path)}`;
      return await use(Buffer.from(place, "latin1"));
    } finally {
      closeSync(descriptor);
    }
  }

  #act<T>(
    doing: string,
    path: TreePath,
    act: (place: string | Buffer, directory: Directory) => T,
  ): T {
    this.#refuseRoot(doing, path);
    try {
      const directory = this.#directories.open(parentPath(path));
      return act(placeIn(directory, baseName(path)), directory);
    } catch (error) {
      throw this.#failure(error, doing, path);
    }
  }

  #refuseRoot(doing: string, path: TreePath): void {
    if (path === ROOT) throw new MirrorError("PATH_REFUSED", `cannot ${doing} the root of a tree`);
  }

  #findDirectory(path: TreePath): Directory | undefined {
    try {
      return this.#directories.open(path);
    } catch (error) {
      if (isAbsent(systemCode(error))) return undefined;
      throw this.#failure(error, "open", path);
    }
  }

  /** @throws MirrorError TREE_DIVERGED when something else stands there */
  #isDirectory(path: TreePath): boolean {
    if (this.#directories.has(path)) return true;
    const stat = this.lstat(path);
    if (stat === undefined) return false;
    if (stat.isDirectory()) return true;
    throw new MirrorError("TREE_DIVERGED", `${this.#name(path)}: not a directory`);
  }

  /** Removes what is not a directory from `path`, and returns the directories left in it. */
  #removeEntries(path: TreePath): TreePath[] {
    const stat = this.lstat(path);
    if (stat === undefined) return [];
    if (stat.dev !== this.#device) {
      throw new MirrorError(
        "TREE_DIVERGED",
        `${this.#name(path)}: another file system, not removed`,
      );
    }
    if ((stat.mode & 0o700) !== 0o700) this.setAttributes(path, { mode: 0o700 });
    const directories: TreePath[] = [];
    for (const { name, isDirectory } of this.listTyped(path)) {
      const child = childPath(path, name);
      if (isDirectory) directories.push(child);
      else this.unlink(child);
    }
    return directories;
  }

  #name(path: TreePath): string {
    return `${displayPath(path)} in ${this.root}`;
  }

  #failure(error: unknown, doing: string, path: TreePath): unknown {
    const code = systemCode(error);
    if (code === undefined || error instanceof MirrorError) return error;
    const what = `cannot ${doing} ${this.#name(path)}`;
    if (isOutOfSpace(code)) return outOfSpace(error, what);
    const kind = DIVERGED.has(code) ? "TREE_DIVERGED" : "DISK_FAILED";
    return new MirrorError(kind, `${what}: ${describe(error)}`, { cause: error });
  }
}

/** What the system says of a tree that is not as the caller thinks. */
const DIVERGED: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENOTDIR",
  "ELOOP",
  "EEXIST",
  "EISDIR",
  "ENOTEMPTY",
  "EINVAL",
  "ENXIO",
]);

const CREATE_FILE =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const APPEND_TO_FILE =
  constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

const OPEN_FOR_READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function isAbsent(code: string | undefined): boolean {
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}

/** Whether `remove` had anything to remove and nothing of `reasons` was against it. */
function isDone(remove: () => void, ...reasons: readonly string[]): boolean {
  try {
    remove();
    return true;
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "ENOENT" || reasons.includes(code)) return false;
    throw error;
  }
}

function modeOf(stat: Stats): number {
  return stat.mode & 0o7777;
}

/** chmod follows symlinks; a descriptor that names the object itself does not. */
function changeMode(place: string | Buffer, mode: number): void {
  const descriptor = openSync(place, O_PATH | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(descriptor).isSymbolicLink()) chmodSync(`/proc/self/fd/${descriptor}`, mode);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The umask and default ACLs may take bits from the mode that a file was made with. Both are the same for
 * all files of a directory, so only the first of each mode is looked at.
 */
function finishFile(
  descriptor: number,
  directory: Directory,
  attributes: FileAttributes & { readonly mode: number },
): void {
  const { mode, uid, gid, mtime } = attributes;
  if (uid !== undefined || gid !== undefined) fchownSync(descriptor, uid ?? -1, gid ?? -1);
  if (mode > 0o777) {
    fchmodSync(descriptor, mode);
  } else if (directory.provenFileMode !== mode) {
    if (modeOf(fstatSync(descriptor)) === mode) directory.provenFileMode = mode;
    else fchmodSync(descriptor, mode);
  }
  if (mtime !== undefined) futimesSync(descriptor, nodeTime(mtime), nodeTime(mtime));
}

/** Node takes a negative number for "now", but not a string of it. */
function nodeTime(seconds: number): number | string {
  return seconds < 0 ? String(seconds) : seconds;
}
