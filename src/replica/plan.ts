/**
 * What shall be done to the tree, decided from the collapsed entries and what the tree holds.
 * Pure: the code that obeys a plan makes no choices.
 */
import { displayPath, isWithin, Parents, type TreePath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";
import type {
  Attributes,
  ContentsEntry,
  FileEntry,
  SignatureDigest,
  SpecialObject,
} from "../manifest/contents.js";
import { buildsOnPrevious, type Collapsed, type Survivor } from "./collapse.js";
import { attributeDifferences, isSameObject } from "./compare.js";
import { lackedBy, onlyKeeps, type VersionTest } from "./versions.js";

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
  /** Objects that stay and get other attributes. */
  readonly attributes: number;
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
      const parent = draft.parentOf(path);
      const isKnown = path === "" || parent === knownParent || made.has(parent);
      if (isCarried && !isKnown && lookup(parent)?.type !== "directory") throw diverged(parent);
      if (isCarried) knownParent = parent;
      if (isCarried && isDirectory) made.add(path);
    }
    if (isCarried) draft.settle(survivors, lookup(path));
    // A directory that led to what is carried, and is now something that is not.
    else if (rules.isWanted(path, true)) draft.drop(path, lookup(path));
    if (!isDirectory && (barred === undefined || !isWithin(path, barred))) barred = path;
  }
  return draft.finish();
}

/** How a tree is compared with what it shall be. */
export interface CompareRules extends PlanRules {
  readonly compare: (a: TreePath, b: TreePath) => number;
  readonly holds: VersionTest;
}

/** A path of the tree and what stands there. */
export interface LocalPath {
  readonly path: TreePath;
  readonly object: LocalObject;
}

/**
 * The whole target state over whatever the tree holds; with an empty `scan` a fresh tree.
 * Both in index order.
 */
export function planWhole(
  setCount: number,
  collapsed: Iterable<Collapsed>,
  scan: Iterable<LocalPath>,
  rules: CompareRules,
): TreePlan {
  const draft = new Draft(setCount, rules);
  const directories = new DirectoryStack();
  const enter = (path: TreePath, isDirectory: boolean): void => {
    directories.enter(path, draft.parentOf(path), isDirectory);
  };
  settleAll(draft, { collapsed, scan, enter, rules });
  return draft.finish();
}

/**
 * Single paths of the target state over what the tree holds there; the rest of the tree is at the target.
 * @throws MirrorError TREE_DIVERGED when one lies in a directory that is missing and not among them
 */
export function planRepair(
  setCount: number,
  collapsed: Iterable<Collapsed>,
  damaged: {
    readonly paths: ReadonlySet<TreePath>;
    readonly lookup: (path: TreePath) => LocalObject | undefined;
  },
  rules: CompareRules,
): TreePlan {
  const { paths, lookup } = damaged;
  const draft = new Draft(setCount, rules);
  const made = new Set<TreePath>();
  const enter = (path: TreePath, isDirectory: boolean): void => {
    const parent = draft.parentOf(path);
    const isKnown = path === "" || made.has(parent) || lookup(parent)?.type === "directory";
    if (!isKnown) throw diverged(parent);
    if (isDirectory) made.add(path);
  };
  const scan = localPaths([...paths].sort(rules.compare), lookup);
  settleAll(draft, { collapsed: among(collapsed, paths), scan, enter, rules });
  return draft.finish();
}

function* among(
  collapsed: Iterable<Collapsed>,
  paths: ReadonlySet<TreePath>,
): Generator<Collapsed> {
  for (const one of collapsed) if (paths.has(one.path)) yield one;
}

function* localPaths(
  paths: readonly TreePath[],
  lookup: (path: TreePath) => LocalObject | undefined,
): Generator<LocalPath> {
  for (const path of paths) {
    const object = lookup(path);
    if (object !== undefined) yield { path, object };
  }
}

/** Merges what shall be with what is there. `enter` checks that a path has a directory to stand in. */
function settleAll(
  draft: Draft,
  merge: {
    readonly collapsed: Iterable<Collapsed>;
    readonly scan: Iterable<LocalPath>;
    readonly enter: (path: TreePath, isDirectory: boolean) => void;
    readonly rules: CompareRules;
  },
): void {
  const { collapsed, scan, enter, rules } = merge;
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
    enter(path, isDirectoryEntry(last));
    passExtras(path);
    const found = here.done !== true && here.value.path === path ? here.value.object : undefined;
    if (found !== undefined) here = local.next();
    draft.settle(survivors, found, rules.holds);
  }
  passExtras(undefined);
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
    if (wanted.has(path)) draft.settle(survivors, undefined);
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
  readonly #parents = new Parents();
  readonly #publishLast: LateStep[] = [];
  readonly #damaged: TreePath[] = [];
  readonly #replaced: TreePath[] = [];
  readonly #counts = {
    written: 0,
    patched: 0,
    special: 0,
    attributes: 0,
    stagedBytes: 0,
    growth: 0,
  };

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

  /** As `parentPath`. */
  parentOf(path: TreePath): TreePath {
    return this.#parents.of(path);
  }

  /** A local object that the target does not have. */
  extra(path: TreePath): void {
    if (path === "" || this.#rules.isProtected(path)) return;
    this.#deletes.push(path);
    this.#touched.add(this.#parents.of(path));
    this.#counts.growth--;
  }

  /** A path that the target does not have, whatever stands there. */
  drop(path: TreePath, local: LocalObject | undefined): void {
    if (local !== undefined) this.extra(path);
  }

  /** A file that `holds` a version, the last or an earlier one, lacks only what follows; without the test all of it. */
  settle(
    survivors: readonly Survivor[],
    local: LocalObject | undefined,
    holds?: VersionTest,
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
    else this.#settleFile(entry, survivors, local, holds);
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
      if (same) {
        this.#counts.attributes++;
        return;
      }
    } else if (same) {
      this.#keep(path, attributes, local);
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
    holds: VersionTest | undefined,
  ): void {
    const { path, attributes } = entry;
    const lacked = holds === undefined ? survivors : lackedBy(local, survivors, holds);
    const builds = lacked[0] === undefined || buildsOnPrevious(lacked[0].entry);
    if (builds && local?.type !== "file") {
      this.#damaged.push(path);
      return;
    }
    if (builds && local !== undefined && onlyKeeps(lacked, local)) {
      const isCertain = lacked.length === 0 && holds?.(entry, local, true) === "held";
      if (!isCertain && entry.signature !== undefined) {
        this.#checks.push({ path, signature: entry.signature });
      }
      this.#keep(path, attributes, local);
      return;
    }
    this.#counts[builds ? "patched" : "written"]++;
    this.#counts.stagedBytes += entry.sizeBytes;
    this.#stage(path, lacked);
    this.#holdBack(path, this.#rules.rankOf(path));
  }

  #keep(path: TreePath, attributes: Attributes, local: LocalObject): void {
    if (this.#hasAttributes(attributes, local)) return;
    this.#attributes.push({ path, attributes });
    this.#counts.attributes++;
  }

  #stage(path: TreePath, survivors: readonly Survivor[]): void {
    this.#touched.add(this.#parents.of(path));
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
    const { mode, mtime } = attributes;
    const owner = this.#rules.ownerOf(attributes);
    return attributeDifferences({ mode, mtime, owner }, local).length === 0;
  }
}

/** The directories that the walk is in; every path must lie in one that the target has. */
class DirectoryStack {
  readonly #stack: TreePath[] = [];

  enter(path: TreePath, parent: TreePath, isDirectory: boolean): void {
    while (this.#stack.length > 0 && this.#stack.at(-1) !== parent) this.#stack.pop();
    if (path !== "" && this.#stack.length === 0) throw orphaned(path);
    if (isDirectory) this.#stack.push(path);
  }
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
