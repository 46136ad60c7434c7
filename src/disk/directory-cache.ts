/**
 * Open directories of one tree, by path. A directory is opened component by component and never through a
 * symlink; once open, its descriptor names it whatever happens to the names above it. Node has no `openat`:
 * `/proc/<our process>/fd/<descriptor>/<name>` is the same.
 */
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { baseName, parentPath, ROOT, type TreePath } from "../bytes/tree-path.js";
import { OPEN_DIRECTORIES_MAX } from "../limits.js";

/** An open directory. Valid until the next directory is opened, unless it is pinned. */
export interface Directory {
  readonly path: TreePath;
  readonly descriptor: number;
  /** What a name is appended to. */
  readonly prefix: string;
  /** The mode that files, or directories, made here are known to get without another call. */
  provenFileMode: number | undefined;
  provenDirectoryMode: number | undefined;
}

/** Linux's O_PATH, which node does not name: a descriptor that only names, and needs no permission to read. */
export const O_PATH = 0o10000000;

const OPEN_DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Holds at most about OPEN_DIRECTORIES_MAX descriptors. A directory stays open while one below it is, so
 * that dropping one drops all below it.
 */
export class DirectoryCache {
  readonly #root: Entry;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #last: Entry;

  constructor(rootDescriptor: number) {
    this.#root = makeEntry(ROOT, rootDescriptor, undefined);
    this.#last = this.#root;
  }

  /** Whether `path` is open now. */
  has(path: TreePath): boolean {
    return path === ROOT || this.#entries.has(path);
  }

  /** The directory `path`. Throws the system's own error: ENOENT, or ENOTDIR for a symlink and anything else. */
  open(path: TreePath): Directory {
    if (path === this.#last.path) return this.#last;
    const entry = this.#nearest(path);
    this.#last = entry.path === path ? this.#touch(entry) : this.#openBelow(entry, path);
    return this.#last;
  }

  /** Both directories at once: opening the second does not close the first. */
  openBoth(first: TreePath, second: TreePath): readonly [Directory, Directory] {
    this.open(first);
    const pinned = this.#last;
    pinned.isPinned = true;
    try {
      return [pinned, this.open(second)];
    } finally {
      pinned.isPinned = false;
    }
  }

  /** Closes `path` and all below it: the name is about to mean something else. */
  forget(path: TreePath): void {
    const entry = this.#entries.get(path);
    if (entry !== undefined) this.#drop(entry);
  }

  close(): void {
    for (const child of this.#root.children) this.#drop(child);
    closeSync(this.#root.descriptor);
  }

  #nearest(path: TreePath): Entry {
    for (let at = path; at !== ROOT; at = parentPath(at)) {
      const entry = this.#entries.get(at);
      if (entry !== undefined) return entry;
    }
    return this.#root;
  }

  #openBelow(ancestor: Entry, path: TreePath): Entry {
    const missing: TreePath[] = [];
    for (let at = path; at !== ancestor.path; at = parentPath(at)) missing.push(at);
    return missing.reduceRight((parent, child) => this.#openChild(parent, child), ancestor);
  }

  #openChild(parent: Entry, path: TreePath): Entry {
    const entry = makeEntry(
      path,
      openSync(placeIn(parent, baseName(path)), OPEN_DIRECTORY),
      parent,
    );
    parent.children.add(entry);
    this.#entries.set(path, entry);
    if (this.#entries.size > OPEN_DIRECTORIES_MAX) this.#dropOldest(entry);
    return entry;
  }

  #touch(entry: Entry): Entry {
    if (entry === this.#root) return entry;
    this.#entries.delete(entry.path);
    this.#entries.set(entry.path, entry);
    return entry;
  }

  #dropOldest(inUse: Entry): void {
    for (const entry of this.#entries.values()) {
      if (entry.children.size > 0 || entry.isPinned || entry === inUse) continue;
      this.#drop(entry);
      return;
    }
  }

  /** A closed descriptor's number is soon another file's: nothing here may still name it. */
  #drop(entry: Entry): void {
    for (const child of entry.children) this.#drop(child);
    this.#entries.delete(entry.path);
    entry.parent?.children.delete(entry);
    if (this.#last === entry) this.#last = this.#root;
    closeSync(entry.descriptor);
  }
}

/** `name` in `directory` as node takes it: a string where it is ASCII, which is faster, otherwise bytes. */
export function placeIn(directory: Directory, name: string): string | Buffer {
  const place = directory.prefix + name;
  return Buffer.byteLength(place) === place.length ? place : Buffer.from(place, "latin1");
}

interface Entry extends Directory {
  readonly parent: Entry | undefined;
  readonly children: Set<Entry>;
  isPinned: boolean;
}

let known: string | undefined;

/** What `/proc/self/fd` is, as the system there calls us: it looks that up at every use of `self`. */
function ownDescriptors(): string {
  known ??= `/proc/${readlinkSync("/proc/self")}/fd`;
  return known;
}

function makeEntry(path: TreePath, descriptor: number, parent: Entry | undefined): Entry {
  return {
    path,
    descriptor,
    prefix: `${ownDescriptors()}/${descriptor}/`,
    provenFileMode: undefined,
    provenDirectoryMode: undefined,
    parent,
    children: new Set(),
    isPinned: false,
  };
}
