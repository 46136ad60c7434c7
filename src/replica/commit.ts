/**
 * The second phase of a replay: what is staged moves into the tree, what is gone goes. Every step is
 * safe to do twice, so a commit that was cut off is simply obeyed again.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  isWithin,
  joinPaths,
  parentPath,
  ROOT,
  type TreePath,
  toTreePath,
} from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import type { Journal, JournalStep } from "./journal.js";
import { holdsProtected } from "./protected.js";
import { closeStaging, NEW_DIRECTORY, STAGE, TRASH, WORK } from "./staging.js";

export interface CommitOptions {
  readonly tree: ConfinedTree;
  readonly journal: Journal;
  readonly sync: () => Promise<void>;
  readonly isProtected: (path: TreePath) => boolean;
}

/**
 * Obeys a journal. Readers see each file old or new, never half; what names others comes after them, deletions come
 * after all that is new.
 */
export async function commit(options: CommitOptions): Promise<void> {
  const { tree, journal } = options;
  await inTurns(changes(options));
  await options.sync();
  closeStaging(tree);
  const root = journal.directories.find((step) => step.path === ROOT);
  if (root !== undefined) setDirectoryAttributes(tree, root);
}

/** One change of the tree; done before the next is asked for. */
type Step = () => void;

function* changes({ tree, journal, isProtected }: CommitOptions): Generator<Step> {
  const { directories } = journal;
  yield* accessible(tree, directories);
  const merge = new Merge(tree, journal.publishLast);
  yield* merge.payloads();
  for (const step of journal.attributes) yield () => setAttributes(tree, step);
  yield* merge.publishLast();
  for (const path of journal.deletes.toReversed()) yield () => remove(tree, path, isProtected);
  for (const step of directories.toReversed()) yield () => setDirectoryAttributes(tree, step);
}

/** Directories, in index order, made ours to write in; nothing is there below one that is absent. */
function* accessible(tree: ConfinedTree, directories: readonly JournalStep[]): Generator<Step> {
  let absent: TreePath | undefined;
  for (const { path } of directories) {
    if (absent !== undefined && isWithin(path, absent)) continue;
    yield () => {
      if (!makeAccessible(tree, path)) absent = path;
    };
  }
}

/** Steps are synchronous; between some thousand of them the rest of the process gets its turn. */
async function inTurns(steps: Iterable<Step>): Promise<void> {
  let count = 0;
  for (const step of steps) {
    step();
    if (++count % STEPS_PER_TURN === 0) await nextTurn();
  }
}

const STEPS_PER_TURN = 2000;

/** Moves the stage into the tree; a directory that is new there moves with all below it in one rename. */
class Merge {
  readonly #tree: ConfinedTree;
  readonly #held: ReadonlySet<TreePath>;
  /** Directories that hold something of `#held`: not moved whole. */
  readonly #opened = new Set<TreePath>();
  #trashCount = 0;

  constructor(tree: ConfinedTree, publishLast: readonly TreePath[]) {
    this.#tree = tree;
    this.#held = new Set(publishLast);
    for (const path of publishLast) {
      for (let up = parentPath(path); !this.#opened.has(up); up = parentPath(up)) {
        this.#opened.add(up);
      }
    }
  }

  /** All but what appears last, and the directories for that. */
  *payloads(): Generator<Step> {
    if (this.#tree.lstat(STAGE) !== undefined) yield* this.#folder(ROOT);
  }

  *publishLast(): Generator<Step> {
    for (const path of this.#held) {
      const staged = this.#tree.lstat(joinPaths(STAGE, path));
      if (staged?.isDirectory() === false) yield () => this.#move(path);
    }
  }

  *#folder(path: TreePath): Generator<Step> {
    const staged = joinPaths(STAGE, path);
    for (const { name, isDirectory } of this.#tree.listTyped(staged)) {
      const child = joinPaths(path, toTreePath(name));
      if (isDirectory) yield* this.#directory(child);
      else if (!this.#held.has(child)) yield () => this.#move(child);
    }
  }

  *#directory(path: TreePath): Generator<Step> {
    const local = this.#tree.lstat(path);
    if (local?.isDirectory() === true) {
      yield* this.#folder(path);
    } else if (this.#opened.has(path)) {
      this.#prepareDirectory(path);
      if (local !== undefined) this.#tree.unlink(path);
      this.#tree.rename(NEW_DIRECTORY, path);
      yield* this.#folder(path);
    } else {
      if (local !== undefined) this.#tree.unlink(path);
      yield () => this.#tree.rename(joinPaths(STAGE, path), path);
    }
  }

  /** Makes `NEW_DIRECTORY` like the staged one, so that in the tree it can be entered from the first. */
  #prepareDirectory(path: TreePath): void {
    const staged = this.#tree.lstat(joinPaths(STAGE, path));
    this.#tree.ensureDirectory(NEW_DIRECTORY);
    if (staged === undefined) return;
    const { uid, gid, mode } = staged;
    this.#tree.setAttributes(NEW_DIRECTORY, { uid, gid, mode: mode & 0o777 });
  }

  #move(path: TreePath): void {
    if (this.#tree.lstat(path)?.isDirectory() === true) this.#discard(path);
    this.#tree.rename(joinPaths(STAGE, path), path);
  }

  #discard(path: TreePath): void {
    this.#tree.ensureDirectory(TRASH);
    let name = joinPaths(TRASH, toTreePath(String(this.#trashCount++)));
    while (this.#tree.lstat(name) !== undefined) {
      name = joinPaths(TRASH, toTreePath(String(this.#trashCount++)));
    }
    // Moving a directory elsewhere changes its `..`: it must be ours to write in.
    makeAccessible(this.#tree, path);
    this.#tree.rename(path, name);
  }
}

/**
 * A directory that we may not write in stays so only for others, until its own mode is set at
 * the end. Returns whether there is one.
 */
function makeAccessible(tree: ConfinedTree, path: TreePath): boolean {
  const stat = tree.lstat(path);
  if (stat?.isDirectory() !== true) return false;
  const mode = stat.mode & 0o7777;
  if ((mode & 0o700) !== 0o700) tree.setAttributes(path, { mode: mode | 0o700 });
  return true;
}

/** What was a directory before the commit may be gone by now, or something else. */
function setDirectoryAttributes(
  tree: ConfinedTree,
  { path, mode, mtime, uid, gid }: JournalStep,
): void {
  tree.setDirectoryAttributes(path, { mode, mtime, uid, gid });
}

/** What is gone already is done. */
function setAttributes(tree: ConfinedTree, step: JournalStep): void {
  if (tree.lstat(step.path) === undefined) return;
  const { path, mode, mtime, uid, gid } = step;
  tree.setAttributes(path, { mode, mtime, uid, gid });
}

function remove(
  tree: ConfinedTree,
  path: TreePath,
  isProtected: (path: TreePath) => boolean,
): void {
  if (isWithin(path, WORK)) return;
  const stat = tree.lstat(path);
  if (stat === undefined) return;
  if (!stat.isDirectory()) tree.unlink(path);
  else if (!tree.removeDirectoryIfEmpty(path) && !holdsProtected(tree, path, isProtected)) {
    tree.removeTree(path);
  }
}
