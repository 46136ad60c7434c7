/**
 * What every operation on a replica's tree begins with, whatever it is for: the tree opened and recovered, the
 * head polled, the lineage of a published set read.
 */
import { isWithin } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import { lockState } from "../daemon/lock.js";
import { removeFile } from "../disk/durable.js";
import type { SetId } from "../duplicity/set-id.js";
import type { Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { lineageOf } from "../manifest/lineage.js";
import { readJournal } from "./journal.js";
import { dropKeptPages, KeptPages } from "./kept-pages.js";
import type { OpenedSets } from "./open-sets.js";
import { type OpenedTree, openTree } from "./open-tree.js";
import { ownerPolicy } from "./owners.js";
import { EVERY_PAGE, type PageChoice, pagesBelow } from "./page-choice.js";
import { includedPlaces, pathFilter, pathMatcher, patternRank } from "./patterns.js";
import type { PlanRules } from "./plan.js";
import { type Position, positionOf, readPosition } from "./position.js";
import { type Published, type PublishedOptions, withPublished } from "./published.js";
import { type CommitRules, obeyJournal } from "./replay.js";
import type { PhaseMeter } from "./report.js";
import type { SourceShelf } from "./sources.js";
import { closeStaging, restoreRootTime, WORK } from "./staging.js";
import type { StateFiles } from "./state-files.js";
import { findUnfinished } from "./unfinished.js";

export type OperationOptions = PublishedOptions;

/** A published set, and the sets that a tree at it is made from: from the full one to it. */
export interface Lineage {
  readonly chain: number;
  readonly lines: readonly LedgerLine[];
}

/** Does `work` while no other process works on the mirror. @throws MirrorError LOCKED */
export async function withLock<T>(
  { config, signal }: OperationOptions,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await lockState(config.stateDirectory, { signal });
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** Opens and recovers the tree for `work`, in a state directory that is ours, and closes all afterwards. */
export async function operate<T>(
  options: OperationOptions,
  work: (operation: Operation) => Promise<T>,
): Promise<T> {
  return await withPublished(options, async (published) => {
    const opened = openTree(options.config, published.files);
    try {
      const operation = new Operation(published, opened);
      await operation.recover();
      const result = await work(operation);
      operation.tidy();
      return result;
    } finally {
      opened.tree.close();
    }
  });
}

export class Operation {
  readonly options: OperationOptions;
  readonly published: Published;
  readonly files: StateFiles;
  readonly opened: OpenedTree;
  readonly rules: PlanRules;
  readonly meter: PhaseMeter;
  readonly shelf: SourceShelf;
  #position: Position | undefined;

  constructor(published: Published, opened: OpenedTree) {
    const { options, files, meter, shelf } = published;
    this.options = options;
    this.published = published;
    this.files = files;
    this.opened = opened;
    this.rules = planRules(options.config);
    this.meter = meter;
    this.shelf = shelf;
  }

  /** Where the tree is, once recovered. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** What of the config says how a set becomes this tree, as a position keeps it. */
  get filter(): string {
    const { include, exclude, delete: deletes, owners } = this.options.config;
    return JSON.stringify({ include, exclude, protect: deletes.protect, owners });
  }

  /** The pages of contents that the replica's part of the tree can be in. */
  get pages(): PageChoice {
    const places = includedPlaces(this.options.config.include);
    return places === undefined ? EVERY_PAGE : pagesBelow(places);
  }

  get commitRules(): CommitRules {
    // A commit is short, and better ended than cut off: it does not listen to the operation's signal.
    const signal = AbortSignal.timeout(COMMIT_SYNC_MS);
    return { isProtected: this.rules.isProtected, signal };
  }

  /** Ends a commit that was cut off, or clears away what a build left that cannot be gone on with. */
  async recover(): Promise<void> {
    this.#position = await this.meter.run("recover", undefined, () => this.#recover());
  }

  /** Takes over what the cycles of this process did meanwhile. */
  reread(): void {
    this.#position = positionOf(this.opened.identity, readPosition(this.files.position));
  }

  /** The newest head that the trust rules accept, made durable. @throws MirrorError as `pollHead` */
  async poll(): Promise<Head> {
    return await this.published.poll();
  }

  /**
   * The lineage of a set of a chain that `head` retains. @throws MirrorError GAP when it retains no such chain, or
   * the chain has no such set
   */
  async readLineage(
    head: Head,
    { chain, set }: { readonly chain: number; readonly set: SetId },
  ): Promise<Lineage> {
    const lines = await this.readChain(head, chain);
    return { chain, lines: lineageOf(lines, set) };
  }

  /** The lineage of the last set of a chain that a tree can be brought to. @throws MirrorError as `readLineage` */
  async readEnd(head: Head, chain: number): Promise<Lineage> {
    const lines = await this.readChain(head, chain);
    const last = lines.findLast(({ isWithheld }) => isWithheld !== true);
    return { chain, lines: last === undefined ? [] : lineageOf(lines, last.set) };
  }

  /** All published sets of a chain that `head` retains. @throws MirrorError GAP when it does not */
  async readChain(head: Head, chain: number): Promise<LedgerLine[]> {
    return await this.published.readChain(head, chain);
  }

  /** The tree has been brought to `position`. */
  moveTo(position: Position): void {
    this.#position = position;
  }

  /** The tables and volumes of a chain, with an empty work folder. */
  openSets(head: Head, chain: number): OpenedSets {
    return this.published.openSets(head, chain);
  }

  /** The same for a build: the next cycle needs no page again when it is cut off. */
  openSetsToBuild(head: Head, chain: number): OpenedSets {
    return this.published.openSets(head, chain, new KeptPages(this.files.pages));
  }

  /** What is of use only to a build that was cut off goes when there is none. */
  tidy(): void {
    if (this.options.isBeside === true || findUnfinished(this.opened.tree) !== undefined) return;
    dropKeptPages(this.files.pages);
  }

  async #recover(): Promise<Position | undefined> {
    const { tree, identity, position } = this.opened;
    const { log } = this.options.runtime;
    const journal = readJournal(this.files.journal);
    if (journal === undefined) {
      if (findUnfinished(tree) === undefined) closeStaging(tree, position?.tree.mtime);
      else restoreRootTime(tree, position?.tree.mtime);
      return position;
    }
    const { inode, birth } = journal.position.tree;
    if (inode !== identity.inode || birth !== identity.birth) {
      log.warn("journal.foreign", { tree: tree.root });
      removeFile(this.files.journal);
      closeStaging(tree);
      return position;
    }
    await obeyJournal(tree, journal, this.files, this.commitRules);
    log.info("commit.resumed", { tree: tree.root });
    return journal.position;
  }
}

function planRules(config: ReplicaMirror): PlanRules {
  const isProtected = pathMatcher(config.delete.protect);
  const isIncluded = pathFilter(config.include, config.exclude);
  return {
    ownerOf: ownerPolicy(config.owners),
    isProtected,
    // A master that mirrors another mirror may have backed up a working folder like ours.
    isWanted: (path, isDirectory) =>
      !isWithin(path, WORK) && !isProtected(path) && isIncluded(path, isDirectory),
    rankOf: patternRank(config.publishLast),
  };
}

/** A file system that cannot sync for so long is broken. */
const COMMIT_SYNC_MS = 3_600_000;
