/** One cycle of a replica, a line per step (docs/architecture.md, "Replica: one cycle"). */
import { isWithin } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import { lockState } from "../daemon/lock.js";
import { makeFolder, removeFile, removeFolder } from "../disk/durable.js";
import { freeSpace } from "../disk/space.js";
import { MirrorError } from "../errors.js";
import type { Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { lineageOf } from "../manifest/lineage.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import type { Runtime } from "../runtime.js";
import { type Choice, chooseStrategy } from "./choose.js";
import { Decryptor } from "./decryptor.js";
import { estimateFetch } from "./estimate.js";
import { checkGuards } from "./guards.js";
import { readJournal } from "./journal.js";
import { readLedger } from "./ledger-copy.js";
import { type MadePlan, makePlan, type PlanOptions } from "./make-plan.js";
import { openSets } from "./open-sets.js";
import { type OpenedTree, openTree } from "./open-tree.js";
import { ownerPolicy } from "./owners.js";
import { EVERY_PAGE, pagesBelow } from "./page-choice.js";
import { includedPlaces, pathFilter, pathMatcher } from "./patterns.js";
import type { PlanRules } from "./plan.js";
import { pollHead } from "./poll.js";
import { isNewest, type Position } from "./position.js";
import { checkProtected } from "./protected.js";
import { build, commitStage, obeyJournal, planJournal, plannedSets } from "./replay.js";
import { type FileCounts, PhaseMeter, reportPosition, type SyncReport } from "./report.js";
import type { SetPlace } from "./sets.js";
import { SourceShelf } from "./sources.js";
import { closeStaging, rootMtime, WORK } from "./staging.js";
import { type StateFiles, stateFiles } from "./state-files.js";
import { readTrustState, type TrustState, writeTrustState } from "./trusted-head.js";
import { readKeys } from "./trusted-keys.js";

export interface SyncOptions {
  readonly config: ReplicaMirror;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  /** Plan and report, but change nothing in the tree. */
  readonly dryRun?: boolean;
  /** Delete as many objects as it takes, this once. */
  readonly forcePurge?: boolean;
  /** How long a source may hold back its answer while it has no new head, unless `wake` fires. */
  readonly wait?: { readonly forMs: number; readonly wake: AbortSignal };
}

/** Brings the tree to the newest published set. @throws MirrorError LOCKED while another process is at it */
export async function syncOnce(options: SyncOptions): Promise<SyncReport> {
  const { config, signal } = options;
  const lock = await lockState(config.stateDirectory, { signal });
  try {
    return await runCycle(options);
  } finally {
    lock.release();
  }
}

/** One cycle, in a state directory that is ours. */
export async function runCycle(options: SyncOptions): Promise<SyncReport> {
  const { config, runtime } = options;
  const files = stateFiles(config.stateDirectory);
  const shelf = new SourceShelf(config, runtime);
  const decryptor = new Decryptor(config, files.spill, runtime.log);
  try {
    const cycle = new Cycle(options, { files, shelf, decryptor });
    return await cycle.run();
  } finally {
    await decryptor.close();
    await shelf.close();
    removeFolder(files.spill);
  }
}

/** What a cycle works with. */
interface Tools {
  readonly files: StateFiles;
  readonly shelf: SourceShelf;
  readonly decryptor: Decryptor;
}

class Cycle {
  readonly #options: SyncOptions;
  readonly #files: StateFiles;
  readonly #shelf: SourceShelf;
  readonly #decryptor: Decryptor;
  readonly #meter: PhaseMeter;
  readonly #rules: PlanRules;

  constructor(options: SyncOptions, tools: Tools) {
    const { config, runtime } = options;
    const { files, shelf, decryptor } = tools;
    this.#options = options;
    this.#files = files;
    this.#shelf = shelf;
    this.#decryptor = decryptor;
    this.#meter = new PhaseMeter(runtime.clock, () => shelf.traffic());
    const isProtected = pathMatcher(config.delete.protect);
    const isIncluded = pathFilter(config.include, config.exclude);
    this.#rules = {
      ownerOf: ownerPolicy(config.owners),
      isProtected,
      // A master that mirrors another mirror may have backed up a working folder like ours.
      isWanted: (path, isDirectory) =>
        !isWithin(path, WORK) && !isProtected(path) && isIncluded(path, isDirectory),
      appearsLast: pathMatcher(config.publishLast),
    };
  }

  async run(): Promise<SyncReport> {
    const opened = openTree(this.#options.config, this.#files);
    try {
      const position = await this.#meter.run("recover", undefined, () => this.#recover(opened));
      const head = await this.#meter.run("poll", "head", () => this.#poll());
      if (this.#isCurrent(position, head)) return this.#reportNothing(head, position);
      const pool = this.#shelf.pool(head);
      const lineage = await this.#meter.run("ledger", "ledger", () => this.#ledger(head, pool));
      const choice = this.#choose(head, lineage, position, opened.isEmpty);
      if (choice.kind === "none") return this.#reportNothing(head, position);
      return await this.#update({ opened, position, head, pool, lineage, choice });
    } finally {
      opened.tree.close();
    }
  }

  /** Ends a commit that was cut off, or clears away what a build left. */
  async #recover({ tree, identity, position }: OpenedTree): Promise<Position | undefined> {
    const journal = readJournal(this.#files.journal);
    if (journal === undefined) {
      closeStaging(tree, position?.tree.mtime);
      return position;
    }
    const { inode, birth } = journal.position.tree;
    if (inode !== identity.inode || birth !== identity.birth) {
      this.#options.runtime.log.warn("journal.foreign", { tree: tree.root });
      removeFile(this.#files.journal);
      closeStaging(tree);
      return position;
    }
    await obeyJournal(tree, journal, this.#files, this.#commitRules());
    this.#options.runtime.log.info("commit.resumed", { tree: tree.root });
    return journal.position;
  }

  async #poll(): Promise<Head> {
    const state = readTrustState(this.#files.trusted);
    const next = await this.#ask(state);
    if (next !== state) writeTrustState(this.#files.trusted, next);
    if (next.trusted === undefined) throw new MirrorError("NO_SOURCE", "no source gave a head");
    return next.trusted.head;
  }

  async #ask(state: TrustState): Promise<TrustState> {
    const { config, runtime, signal, wait } = this.#options;
    const options = {
      mirror: config.name,
      sources: this.#shelf.sources(state.trusted?.head),
      keys: readKeys(config.trust.keyFile, state.keys),
      state,
      runtime,
    };
    if (wait === undefined || wait.forMs === 0) return await pollHead({ ...options, signal });
    const waiting = AbortSignal.any([signal, wait.wake]);
    try {
      return await pollHead({ ...options, waitMs: wait.forMs, signal: waiting });
    } catch (error) {
      if (signal.aborted || !wait.wake.aborted) throw error;
      return await pollHead({ ...options, signal });
    }
  }

  async #ledger(head: Head, pool: SourcePool): Promise<LedgerLine[]> {
    const { chain, set } = head.newest;
    const reference = head.ledgers.find((ledger) => ledger.chain === chain);
    if (reference === undefined) {
      throw new MirrorError("HEAD_INVALID", "the head names no ledger for its newest set");
    }
    makeFolder(this.#files.ledgers, 0o700);
    const lines = await readLedger({
      file: this.#files.ledger(head.session, chain),
      session: head.session,
      reference,
      pool,
      signal: this.#options.signal,
    });
    return lineageOf(lines, set);
  }

  #isCurrent(position: Position | undefined, head: Head): boolean {
    return position?.filter === this.#filter() && isNewest(position, head);
  }

  #choose(
    head: Head,
    lineage: readonly LedgerLine[],
    position: Position | undefined,
    isTreeEmpty: boolean,
  ): Choice {
    return chooseStrategy({ head, lineage, position, isTreeEmpty, filter: this.#filter() });
  }

  async #update(work: Update): Promise<SyncReport> {
    const { config, runtime, signal, dryRun, forcePurge } = this.#options;
    const { opened, position, head, pool, lineage, choice } = work;
    const { tree } = opened;
    removeFolder(this.#files.spill);
    makeFolder(this.#files.spill, 0o700);
    const tools = { pool, decryptor: this.#decryptor, workFolder: this.#files.spill };
    const { tables, place } = openSets(head, tools);
    const { log } = runtime;
    const rules = this.#rules;
    const places = includedPlaces(config.include);
    const pages = places === undefined ? EVERY_PAGE : pagesBelow(places);
    const planning = { choice, lineage, position, tree, tables, rules, pages, log, signal };
    const made = await this.#meter.run("plan", "tables", () => makePlan(planning));
    const { plan, entryCount } = made;
    const free = freeSpace(tree.root);
    checkProtected(tree, plan.replaced, rules.isProtected);
    checkGuards(config, { plan, entryCount, free, forcePurge: forcePurge === true });
    if (dryRun === true) return await this.#reportPlan(work, made, { planning, place });
    const rootTime = position?.tree.mtime ?? rootMtime(tree);
    const { owners } = config;
    const replay = { made, planning, place, owners, rootTime, runtime, signal };
    const history = await this.#build(replay);
    const after = planJournal(replay, history, this.#target(work, made));
    await this.#meter.run("commit", undefined, () =>
      commitStage(tree, after, this.#files, { ...this.#commitRules(), rootTime }),
    );
    const mended = history === undefined ? 0 : history.plan.counts.written;
    return this.#report(work, made, { mended, after: after.position });
  }

  async #reportPlan(
    work: Update,
    made: MadePlan,
    { planning, place }: { readonly planning: PlanOptions; readonly place: SetPlace },
  ): Promise<SyncReport> {
    const sets = await plannedSets(made, planning, place);
    const report = this.#report(work, made, { mended: 0, after: work.position });
    return { ...report, estimate: estimateFetch(sets) };
  }

  /** What cannot be finished is cleared away: the tree stays as it was. */
  async #build(replay: Parameters<typeof build>[0]): Promise<MadePlan | undefined> {
    try {
      return await this.#meter.run("build", "blocks", () => build(replay));
    } catch (error) {
      closeStaging(replay.planning.tree, replay.rootTime);
      throw error;
    }
  }

  /** Where the tree will be. */
  #target({ opened, head, lineage }: Update, { plan, entryCount }: MadePlan) {
    const last = lineage.at(-1);
    if (last === undefined) throw new RangeError("a lineage has sets");
    const { session, newest, ledgers } = head;
    const ledger = ledgers.find(({ chain }) => chain === newest.chain);
    return {
      session,
      chain: newest.chain,
      set: last.set,
      manifestHash: last.manifestHash,
      lastLineHash: ledger?.lastLineHash ?? "",
      entryCount: entryCount + plan.counts.growth,
      tree: opened.identity,
      filter: this.#filter(),
    };
  }

  #filter(): string {
    const { include, exclude } = this.#options.config;
    return JSON.stringify({ include, exclude });
  }

  #commitRules() {
    // A commit is short, and better ended than cut off: it does not listen to the cycle's signal.
    const signal = AbortSignal.timeout(COMMIT_SYNC_MS);
    return { isProtected: this.#rules.isProtected, signal };
  }

  #reportNothing(head: Head, position: Position | undefined): SyncReport {
    return {
      ...this.#common(head),
      strategy: "none",
      positionBefore: reportPosition(position),
      positionAfter: reportPosition(position),
      setsFollowed: 0,
      files: NO_FILES,
    };
  }

  #report(
    { head, position }: Update,
    { strategy, lines, plan }: MadePlan,
    { mended, after }: { readonly mended: number; readonly after: Position | undefined },
  ): SyncReport {
    const { written, patched, special } = plan.counts;
    return {
      ...this.#common(head),
      strategy,
      positionBefore: reportPosition(position),
      positionAfter: reportPosition(after),
      setsFollowed: strategy === "follow" ? lines.length : 0,
      files: { written, patched, special, deleted: plan.deletes.length, mended },
    };
  }

  #common(head: Head) {
    return {
      mirror: this.#options.config.name,
      generation: head.generation,
      ...this.#meter.totals(),
      sources: this.#shelf.reports(),
      seconds: this.#meter.seconds,
    };
  }
}

interface Update {
  readonly opened: OpenedTree;
  readonly position: Position | undefined;
  readonly head: Head;
  readonly pool: SourcePool;
  readonly lineage: readonly LedgerLine[];
  readonly choice: PlanOptions["choice"];
}

const NO_FILES: FileCounts = { written: 0, patched: 0, special: 0, deleted: 0, mended: 0 };

/** A file system that cannot sync for so long is broken. */
const COMMIT_SYNC_MS = 3_600_000;
