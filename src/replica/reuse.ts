/**
 * What an earlier build staged and this one needs the same. A staged file counts when all that is seen of it is as its
 * set has it, and either the record beside the stage vouches for its content or its signature does. All else in the
 * stage goes: a commit moves into the tree whatever is staged.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { equalBytes } from "../bytes/digest.js";
import { childPath, compareTreePaths, joinPaths, ROOT, type TreePath } from "../bytes/tree-path.js";
import { bootId } from "../disk/boot.js";
import { type ConfinedTree, type Stats } from "../disk/confined.js";
import { signFile } from "../disk/sign-file.js";
import { sameSet } from "../duplicity/names.js";
import { isMirrorError } from "../errors.js";
import type { ContentsEntry, FileEntry, SignatureDigest } from "../manifest/contents.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { type Collapsed, collapseSets, type Survivor } from "./collapse.js";
import { attributeDifferences } from "./compare.js";
import { describeLocal } from "./local-tree.js";
import type { MadePlan } from "./make-plan.js";
import { type PlanRules, USE_NEEDED } from "./plan.js";
import { entriesOf, type SetPlace } from "./sets.js";
import { MEMORY_MAX_BYTES } from "./staged-file.js";
import { STAGE } from "./staging.js";
import type { TableStore } from "./table-store.js";
import type { FoundBuild } from "./unfinished.js";
import type { BegunFile } from "./work.js";

/** The file that was being written when the build was cut off; its signature will tell whether what is there is right. */
export interface BegunStaging extends BegunFile {
  readonly path: TreePath;
  readonly signature: SignatureDigest;
}

export interface ReuseOptions {
  readonly tree: ConfinedTree;
  readonly found: FoundBuild;
  readonly made: MadePlan;
  readonly place: Pick<SetPlace, "session" | "chain">;
  readonly tables: TableStore;
  readonly rules: Pick<PlanRules, "ownerOf">;
  /** Remove what does not count; otherwise only look. */
  readonly isForReal: boolean;
  readonly signal: AbortSignal;
}

/** What a build need not fetch. */
export interface Reused {
  readonly files: number;
  /** Of these files and of the one that was begun. */
  readonly bytes: number;
  readonly begun: BegunStaging | undefined;
  /** Right files of which the plan does not know yet whether they are needed. */
  readonly spare: ReadonlySet<TreePath>;
  /** Bytes of what does not count, as far as it is still there. */
  readonly uselessBytes: number;
}

export const NOTHING_REUSED: Reused = {
  files: 0,
  bytes: 0,
  begun: undefined,
  spare: new Set(),
  uselessBytes: 0,
};

/** Takes out of the plan what is staged already. */
export async function reuseStage(options: ReuseOptions): Promise<Reused> {
  const review = new StageReview(options);
  await review.folder(ROOT);
  return review.reused;
}

/** Takes files out of a plan that are known to be staged. */
export function skipStaged(
  { lines, plan }: MadePlan,
  tables: TableStore,
  staged: ReadonlySet<TreePath>,
): void {
  if (staged.size === 0) return;
  for (const { path, survivors } of collapseSets(lines.map((line) => entriesOf(line, tables)))) {
    if (staged.has(path)) skip(plan, survivors);
  }
}

function skip({ uses }: MadePlan["plan"], survivors: readonly Survivor[]): void {
  for (const { set, ordinal } of survivors) uses[set]?.mark(ordinal, 0);
}

/** Goes through the stage and the sets at the same pace, in index order. */
class StageReview {
  readonly #options: ReuseOptions;
  readonly #collapsed: Iterator<Collapsed>;
  #next: Collapsed | undefined;
  readonly #vouchedSets: number;
  readonly #spare = new Set<TreePath>();
  #begun: BegunStaging | undefined;
  #files = 0;
  #bytes = 0;
  #uselessBytes = 0;
  #seen = 0;

  constructor(options: ReuseOptions) {
    const { made, tables } = options;
    this.#options = options;
    const sets = made.lines.map((line) => entriesOf(line, tables));
    this.#collapsed = collapseSets(sets)[Symbol.iterator]();
    this.#advance();
    this.#vouchedSets = this.#countVouched();
  }

  get reused(): Reused {
    return {
      files: this.#files,
      bytes: this.#bytes + (this.#begun?.doneBytes ?? 0),
      begun: this.#begun,
      spare: this.#spare,
      uselessBytes: this.#uselessBytes,
    };
  }

  /** Directories stand for what is in them: the plan makes those that it needs. */
  async folder(path: TreePath): Promise<void> {
    const { tree, isForReal, signal } = this.#options;
    signal.throwIfAborted();
    const listed = tree.listTyped(joinPaths(STAGE, path)).sort(byName);
    for (const { name, isDirectory } of listed) {
      const child = childPath(path, name);
      if (isDirectory) await this.folder(child);
      else await this.#object(child);
    }
    if (isForReal && path !== ROOT) tree.removeDirectoryIfEmpty(joinPaths(STAGE, path));
  }

  async #object(path: TreePath): Promise<void> {
    const { tree, made } = this.#options;
    const stat = tree.lstat(joinPaths(STAGE, path));
    if (stat === undefined) return;
    if (++this.#seen % OBJECTS_PER_TURN === 0) await nextTurn();
    const survivors = this.#survivorsOf(path);
    const last = survivors.at(-1);
    if (last === undefined || !isFileEntry(last.entry) || !isAlone(stat)) {
      this.#discard(path, stat);
      return;
    }
    const use = made.plan.uses[last.set]?.of(last.ordinal) ?? 0;
    const isPlanned = (use & USE_NEEDED) !== 0;
    const isWhole = this.#looksWhole(last.entry, stat) && (await this.#isTrue(last, stat));
    if (isWhole && isPlanned) this.#keep(survivors, stat);
    else if (isWhole && this.#spare.size < SPARE_MAX_COUNT) this.#spare.add(path);
    else if (!isPlanned || !this.#begin(last.entry, last, stat)) this.#discard(path, stat);
  }

  /** Whether it is the file that was written piece by piece, in order, when the build was cut off. */
  #begin({ path, kind, sizeBytes, signature }: FileEntry, at: Survivor, { size }: Stats): boolean {
    if (this.#begun !== undefined || kind !== "snapshot" || signature === undefined) return false;
    if (sizeBytes <= MEMORY_MAX_BYTES || size === 0 || size >= sizeBytes) return false;
    this.#begun = { path, set: at.set, ordinal: at.ordinal, doneBytes: size, signature };
    return true;
  }

  #keep(survivors: readonly Survivor[], { size }: Stats): void {
    skip(this.#options.made.plan, survivors);
    this.#files++;
    this.#bytes += size;
  }

  #discard(path: TreePath, { size }: Stats): void {
    const { tree, isForReal } = this.#options;
    if (isForReal) tree.unlink(joinPaths(STAGE, path));
    else this.#uselessBytes += size;
  }

  #looksWhole({ path, sizeBytes, attributes }: FileEntry, stat: Stats): boolean {
    const { tree, rules } = this.#options;
    const { mode, mtime } = attributes;
    const owner = rules.ownerOf(attributes);
    const local = describeLocal(tree, joinPaths(STAGE, path), stat);
    const isAsRecorded = attributeDifferences({ mode, mtime, owner }, local).length === 0;
    return isAsRecorded && stat.size === sizeBytes;
  }

  /** Whether the content is what the set recorded. */
  async #isTrue({ entry, set }: Survivor, stat: Stats): Promise<boolean> {
    const { tree, found, signal } = this.#options;
    if (stat.size === 0 || (set < this.#vouchedSets && stat.ctimeMs < found.untilMs)) return true;
    if (!isFileEntry(entry) || entry.signature === undefined) return false;
    return await isSigned(tree, entry.path, entry.signature, signal);
  }

  /** The entries of a path; paths are asked for in index order. */
  #survivorsOf(path: TreePath): readonly Survivor[] {
    while (this.#next !== undefined && compareTreePaths(this.#next.path, path) < 0) this.#advance();
    return this.#next?.path === path ? this.#next.survivors : [];
  }

  #advance(): void {
    const next = this.#collapsed.next();
    this.#next = next.done === true ? undefined : next.value;
  }

  /** How many of the sets the earlier build had, too: what they say last of a file is what was staged. */
  #countVouched(): number {
    const { found, made, place } = this.#options;
    const isSamePlace = found.session === place.session && found.chain === place.chain;
    const isSameBoot = found.boot !== undefined && found.boot === bootId();
    if (!isSamePlace || !isSameBoot) return 0;
    const isTarget = ({ set, manifestHash }: LedgerLine): boolean =>
      sameSet(set, found.set) && manifestHash === found.manifestHash;
    return made.lines.findIndex(isTarget) + 1;
  }
}

const OBJECTS_PER_TURN = 1000;
const SPARE_MAX_COUNT = 100_000;

/** Whether a staged file has the content that a set recorded. */
export async function isSigned(
  tree: ConfinedTree,
  path: TreePath,
  { blockLength, digest }: SignatureDigest,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const found = await signFile(tree, joinPaths(STAGE, path), blockLength, signal);
    return equalBytes(found, digest);
  } catch (error) {
    if (isMirrorError(error, "TREE_DIVERGED", "DISK_FAILED")) return false;
    throw error;
  }
}

/** A file that has no other name by which it could be changed. */
function isAlone(stat: Stats): boolean {
  return stat.isFile() && stat.nlink === 1;
}

function isFileEntry(entry: ContentsEntry): entry is FileEntry {
  return entry.kind !== "deleted" && entry.kind !== "object";
}

type Named = ReturnType<ConfinedTree["listTyped"]>[number];

/** In code unit order, which for latin1 strings is the order of bytes. */
function byName(a: Named, b: Named): number {
  return a.name < b.name ? -1 : 1;
}
