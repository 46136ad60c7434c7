/**
 * What shall be done to the tree, decided from the collapsed entries and what the tree holds.
 * Pure: the code that obeys a plan makes no choices.
 */
import { displayPath, isWithin, parentPath, type TreePath } from "../bytes/tree-path.js";
import { holdsTime } from "../disk/held-time.js";
import { MirrorError } from "../errors.js";
import type {
  Attributes,
  ContentsEntry,
  FileEntry,
  SignatureDigest,
  SpecialObject,
} from "../manifest/contents.js";
import { buildsOnPrevious, type Collapsed, type Survivor } from "./collapse.js";

/** What the tree holds at a path, as far as planning needs it. */
export interface LocalObject {
  readonly type: "file" | "socket" | SpecialObject["type"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly sizeBytes: number;
  /** latin1; symlinks only. */
  readonly target?: string;
  /** Devices only. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** How a plan is made besides the entries. */
export interface PlanRules {
  /** Owner that an object shall have, or nothing when owners are left alone. */
  readonly ownerOf: (
    attributes: Attributes,
  ) => { readonly uid: number; readonly gid: number } | undefined;
  /** Local paths that are never deleted. */
  readonly isProtected: (path: TreePath) => boolean;
  /** What this replica carries at all. */
  readonly isWanted: (path: TreePath, isDirectory: boolean) => boolean;
  /**
   * Of paths, such as index files, that readers must not see before what they point to: their place among
   * each other, from 0.
   */
  readonly rankOf: (path: TreePath) => number | undefined;
}

export interface AttributeStep {
  readonly path: TreePath;
  readonly attributes: Attributes;
}

/** A file that appears once all of lower rank are there. */
export interface LateStep {
  readonly path: TreePath;
  readonly rank: number;
}

/** An existing file that shall already have the right content. */
export interface CheckStep {
  readonly path: TreePath;
  readonly signature: SignatureDigest;
}

export interface TreePlan {
  /** What each entry of each set is for. */
  readonly uses: readonly EntryUses[];
  /** Local objects that go, in index order. */
  readonly deletes: readonly TreePath[];
  /** Objects that stay and get other attributes, directories apart. */
  readonly attributes: readonly AttributeStep[];
  /** Directories that are made or get other attributes, in index order. */
  readonly directories: readonly AttributeStep[];
  readonly checks: readonly CheckStep[];
  /** Directories in which something appears or goes. */
  readonly touched: ReadonlySet<TreePath>;
  /** Staged paths that appear after all others, in index order. */
  readonly publishLast: readonly LateStep[];
  /** Files that cannot be built from what the tree holds: their history is needed. */
  readonly damaged: readonly TreePath[];
  /** Local directories where something else shall stand. */
  readonly replaced: readonly TreePath[];
  readonly counts: PlanCounts;
}

export interface PlanCounts {
  /** Files written whole, files made from what is there, other objects made. */
  readonly written: number;
  readonly patched: number;
  readonly special: number;
  /** Bytes that staging will hold. */
  readonly stagedBytes: number;
  /** Objects in the tree when all is done, less those that were there before. */
  readonly growth: number;
}

/** The increments after the tree's position. @throws MirrorError TREE_DIVERGED when the tree is not at it */
export function planFollow(
  setCount: number,
  collapsed: Iterable<Collapsed>,
  lookup: (path: TreePath) => LocalObject | undefined,
  rules: PlanRules,
): TreePlan {
  const draft = new Draft(setCount, rules);
  const made = new Set<TreePath>();
  let knownParent: TreePath | undefined;
  let barred: TreePath | undefined;
  for (const { path, survivors } of collapsed) {
    const last = lastOf(survivors).entry;
    const isDirectory = isDirectoryEntry(last);
    const isCarried = rules.isWanted(path, isDirectory || last.kind === "deleted");
    if (last.kind !== "deleted") {
      if (barred !== undefined && isWithin(path, barred)) throw orphaned(path);
      const parent = parentPath(path);
      const isKnown = path === "" || parent === knownParent || made.has(parent);
      if (isCarried && !isKnown && lookup(parent)?.type !== "directory") throw diverged(parent);
      if (isCarried) knownParent = parent;
      if (isCarried && isDirectory) made.add(path);
    }
    if (isCarried) draft.settle(survivors, lookup(path), "replace");
    // A directory that led to what is carried, and is now something that is not.
    else if (rules.isWanted(path, true)) draft.drop(path, lookup(path));
    if (!isDirectory && (barred === undefined || !isWithin(path, barred))) barred = path;
  }
  return draft.finish();
}

/**
 * The whole target state over whatever the tree holds; with an empty `scan` a fresh tree.
 * Both in index order.
 */
export function planWhole(
  setCount: number,
  collapsed: Iterable<Collapsed>,
  scan: Iterable<{ readonly path: TreePath; readonly object: LocalObject }>,
  rules: PlanRules & { readonly compare: (a: TreePath, b: TreePath) => number },
): TreePlan {
  const draft = new Draft(setCount, rules);
  const parents = new ParentStack();
  const local = scan[Symbol.iterator]();
  let here = local.next();
  const passExtras = (limit: TreePath | undefined): void => {
    while (
      here.done !== true &&
      (limit === undefined || rules.compare(here.value.path, limit) < 0)
    ) {
      draft.extra(here.value.path);
      here = local.next();
    }
  };
  for (const { path, survivors } of collapsed) {
    const last = lastOf(survivors).entry;
    if (last.kind === "deleted" || !rules.isWanted(path, isDirectoryEntry(last))) continue;
    parents.enter(path, isDirectoryEntry(last));
    passExtras(path);
    const found = here.done !== true && here.value.path === path ? here.value.object : undefined;
    if (found !== undefined) here = local.next();
    draft.settle(survivors, found, "compare");
  }
  passExtras(undefined);
  return draft.finish();
}

/** The history of single files, from their last snapshot on, whatever the tree holds. */
export function planHistory(
  setCount: number,
  collapsed: Iterable<Collapsed>,
  wanted: ReadonlySet<TreePath>,
  rules: PlanRules,
): TreePlan {
  const draft = new Draft(setCount, rules);
  for (const { path, survivors } of collapsed) {
    if (wanted.has(path)) draft.settle(survivors, undefined, "replace");
  }
  return draft.finish();
}

/** One byte per entry: 0 when nothing needs it. */
export class EntryUses {
  #flags = new Uint8Array(64);

  mark(ordinal: number, flags: number): void {
    if (ordinal >= this.#flags.length) {
      const grown = new Uint8Array(Math.max(ordinal + 1, this.#flags.length * 2));
      grown.set(this.#flags);
      this.#flags = grown;
    }
    this.#flags[ordinal] = flags;
  }

  of(ordinal: number): number {
    return this.#flags[ordinal] ?? 0;
  }

  /** Those of the entries from `first` up to, not including, `end`. */
  slice(first: number, end: number): Uint8Array {
    const uses = new Uint8Array(end - first);
    uses.set(this.#flags.subarray(first, end));
    return uses;
  }

  get isEmpty(): boolean {
    return !this.#flags.some((flags) => flags !== 0);
  }
}

export const USE_NEEDED = 1;
/** The first of its path's survivors: a change starts from the tree's own file. */
export const USE_FIRST = 2;
/** The last of its path's survivors: it gives the attributes. */
export const USE_LAST = 4;

/** Of a symlink that pointed elsewhere: what it points to may be a directory with index files, and shall be whole. */
const REPOINTED_RANK = Number.MAX_SAFE_INTEGER;

/** A plan in the making. */
class Draft {
  readonly #uses: EntryUses[];
  readonly #rules: PlanRules;
  readonly #deletes: TreePath[] = [];
  readonly #attributes: AttributeStep[] = [];
  readonly #directories: AttributeStep[] = [];
  readonly #checks: CheckStep[] = [];
  readonly #touched = new Set<TreePath>();
  readonly #publishLast: LateStep[] = [];
  readonly #damaged: TreePath[] = [];
  readonly #replaced: TreePath[] = [];
  readonly #counts = { written: 0, patched: 0, special: 0, stagedBytes: 0, growth: 0 };

  constructor(setCount: number, rules: PlanRules) {
    this.#uses = Array.from({ length: setCount }, () => new EntryUses());
    this.#rules = rules;
  }

  finish(): TreePlan {
    return {
      uses: this.#uses,
      deletes: this.#deletes,
      attributes: this.#attributes,
      directories: this.#directories,
      checks: this.#checks,
      touched: this.#touched,
      publishLast: this.#publishLast,
      damaged: this.#damaged,
      replaced: this.#replaced,
      counts: this.#counts,
    };
  }

  /** A local object that the target does not have. */
  extra(path: TreePath): void {
    if (path === "" || this.#rules.isProtected(path)) return;
    this.#deletes.push(path);
    this.#touched.add(parentPath(path));
    this.#counts.growth--;
  }

  /** A path that the target does not have, whatever stands there. */
  drop(path: TreePath, local: LocalObject | undefined): void {
    if (local !== undefined) this.extra(path);
  }

  /**
   * `compare`: a file with the size and time of a version, the last or an earlier one, is taken to have its content;
   * `replace`: it is built anew.
   */
  settle(
    survivors: readonly Survivor[],
    local: LocalObject | undefined,
    mode: "compare" | "replace",
  ): void {
    const { entry } = lastOf(survivors);
    if (entry.kind === "deleted") {
      this.drop(entry.path, local);
      return;
    }
    if (entry.path === "" && !isDirectoryEntry(entry)) throw orphaned(entry.path);
    if (local?.type === "directory" && !isDirectoryEntry(entry)) this.#replaced.push(entry.path);
    if (local === undefined) this.#counts.growth++;
    if (entry.kind === "object") this.#settleObject(entry, survivors, local);
    else this.#settleFile(entry, survivors, local, mode);
  }

  #settleObject(
    entry: { path: TreePath; attributes: Attributes; object: SpecialObject },
    survivors: readonly Survivor[],
    local: LocalObject | undefined,
  ): void {
    const { path, attributes, object } = entry;
    const same = local !== undefined && isSameObject(object, local);
    if (object.type === "directory") {
      if (same && this.#hasAttributes(attributes, local)) return;
      this.#directories.push({ path, attributes });
      if (same) return;
    } else if (same) {
      if (!this.#hasAttributes(attributes, local)) this.#attributes.push({ path, attributes });
      return;
    }
    this.#counts.special++;
    this.#stage(path, survivors);
    if (object.type === "directory") return;
    const isRepointed = object.type === "symlink" && local?.type === "symlink";
    this.#holdBack(path, isRepointed ? REPOINTED_RANK : this.#rules.rankOf(path));
  }

  #settleFile(
    entry: FileEntry,
    survivors: readonly Survivor[],
    local: LocalObject | undefined,
    mode: "compare" | "replace",
  ): void {
    const { path, attributes } = entry;
    const lacked = mode === "compare" ? lackedBy(local, survivors) : survivors;
    const builds = lacked[0] === undefined || buildsOnPrevious(lacked[0].entry);
    if (builds && local?.type !== "file") {
      this.#damaged.push(path);
      return;
    }
    if (builds && local !== undefined && onlyKeeps(lacked, local)) {
      const isCertain = lacked.length === 0 && attributes.mtime === local.mtime;
      if (!isCertain && entry.signature !== undefined) {
        this.#checks.push({ path, signature: entry.signature });
      }
      if (!this.#hasAttributes(attributes, local)) this.#attributes.push({ path, attributes });
      return;
    }
    this.#counts[builds ? "patched" : "written"]++;
    this.#counts.stagedBytes += entry.sizeBytes;
    this.#stage(path, lacked);
    this.#holdBack(path, this.#rules.rankOf(path));
  }

  #stage(path: TreePath, survivors: readonly Survivor[]): void {
    this.#touched.add(parentPath(path));
    survivors.forEach(({ set, ordinal }, at) => {
      const first = at === 0 ? USE_FIRST : 0;
      const last = at === survivors.length - 1 ? USE_LAST : 0;
      this.#uses[set]?.mark(ordinal, USE_NEEDED | first | last);
    });
  }

  #holdBack(path: TreePath, rank: number | undefined): void {
    if (rank !== undefined) this.#publishLast.push({ path, rank });
  }

  #hasAttributes(attributes: Attributes, local: LocalObject): boolean {
    const owner = this.#rules.ownerOf(attributes);
    if (owner !== undefined && (owner.uid !== local.uid || owner.gid !== local.gid)) return false;
    // Neither mode nor time of a symlink is the master's to say (duplicity-format 9).
    if (local.type === "symlink") return true;
    return attributes.mode === local.mode && holdsTime(local.mtime, attributes.mtime);
  }
}

/** The directories that the walk is in; every path must lie in one that the target has. */
class ParentStack {
  readonly #stack: TreePath[] = [];

  enter(path: TreePath, isDirectory: boolean): void {
    while (this.#stack.length > 0 && !isWithin(path, this.#top())) this.#stack.pop();
    if (path !== "" && (this.#stack.length === 0 || this.#top() !== parentPath(path))) {
      throw orphaned(path);
    }
    if (isDirectory) this.#stack.push(path);
  }

  #top(): TreePath {
    const top = this.#stack.at(-1);
    if (top === undefined) throw new RangeError("no directory entered");
    return top;
  }
}

function isSameObject(object: SpecialObject, local: LocalObject): boolean {
  switch (object.type) {
    case "directory":
    case "fifo":
      return local.type === object.type;
    case "symlink":
      return local.type === "symlink" && local.target === object.target;
    case "characterDevice":
    case "blockDevice":
      return (
        local.type === object.type &&
        local.device?.major === object.major &&
        local.device.minor === object.minor
      );
  }
}

/** Whether all survivors only keep the local content as it is. */
function onlyKeeps(survivors: readonly Survivor[], local: LocalObject): boolean {
  return survivors.every(
    ({ entry }) => entry.kind === "prefix" && entry.sizeBytes === local.sizeBytes,
  );
}

/** What is to be done to a file that may hold one of the survivors' versions already: nothing when that is the last. */
function lackedBy(
  local: LocalObject | undefined,
  survivors: readonly Survivor[],
): readonly Survivor[] {
  if (local?.type !== "file") return survivors;
  if (mayBeLike(lastOf(survivors).entry, local)) return [];
  return survivors.slice(survivors.findLastIndex(({ entry }) => isLike(entry, local)) + 1);
}

/** Where the file system cannot hold an entry's time, the signature will tell. */
function mayBeLike(entry: ContentsEntry, local: LocalObject): boolean {
  if (entry.kind === "deleted" || entry.kind === "object" || entry.signature === undefined) {
    return false;
  }
  return entry.sizeBytes === local.sizeBytes && holdsTime(local.mtime, entry.attributes.mtime);
}

function isLike(entry: ContentsEntry, local: LocalObject): boolean {
  if (entry.kind === "deleted" || entry.kind === "object") return false;
  return entry.sizeBytes === local.sizeBytes && entry.attributes.mtime === local.mtime;
}

function lastOf(survivors: readonly Survivor[]): Survivor {
  const last = survivors.at(-1);
  if (last === undefined) throw new RangeError("a collapsed path has survivors");
  return last;
}

function isDirectoryEntry(entry: ContentsEntry): boolean {
  return entry.kind === "object" && entry.object.type === "directory";
}

function orphaned(path: TreePath): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents name ${displayPath(path)} but no directory that holds it`,
  );
}

function diverged(path: TreePath): MirrorError {
  return new MirrorError(
    "TREE_DIVERGED",
    `${displayPath(path)} is not the directory that the tree's position says it is`,
  );
}
