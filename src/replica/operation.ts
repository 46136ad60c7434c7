/**
 * What every operation on a replica's tree begins with, whatever it is for: the tree opened and recovered, the
 * head polled, the lineage of a published set read.
 */
import { isWithin } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import { lockState } from "../daemon/lock.js";
import { makeFolder, removeFile, removeFolder } from "../disk/durable.js";
import type { SetId } from "../duplicity/set-id.js";
import { formatTime } from "../duplicity/time.js";
import { MirrorError } from "../errors.js";
import { findLedger, type Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { lineageOf } from "../manifest/lineage.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import type { Runtime } from "../runtime.js";
import { Decryptor } from "./decryptor.js";
import { readJournal } from "./journal.js";
import { readLedger } from "./ledger-copy.js";
import { type OpenedSets, openSets } from "./open-sets.js";
import { type OpenedTree, openTree } from "./open-tree.js";
import { ownerPolicy } from "./owners.js";
import { EVERY_PAGE, type PageChoice, pagesBelow } from "./page-choice.js";
import { includedPlaces, pathFilter, pathMatcher, patternRank } from "./patterns.js";
import type { PlanRules } from "./plan.js";
import { pollHead } from "./poll.js";
import { type Position, positionOf, readPosition } from "./position.js";
import { type CommitRules, obeyJournal } from "./replay.js";
import { PhaseMeter } from "./report.js";
import { SourceShelf } from "./sources.js";
import { closeStaging, WORK } from "./staging.js";
import { type StateFiles, stateFiles } from "./state-files.js";
import { readTrustState, type TrustState, writeTrustState } from "./trusted-head.js";
import { readKeys } from "./trusted-keys.js";

export interface OperationOptions {
  readonly config: ReplicaMirror;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  /** How long a source may hold back its answer while it has no new head, unless `wake` fires. */
  readonly wait?: { readonly forMs: number; readonly wake: AbortSignal };
  /** Goes on beside the cycles of this process, and has a work folder of its own. */
  readonly isBeside?: boolean;
}

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
  const { config, runtime, isBeside } = options;
  const files = stateFiles(config.stateDirectory);
  const workFolder = isBeside === true ? files.verifySpill : files.spill;
  const shelf = new SourceShelf(config, runtime);
  const decryptor = new Decryptor(config, workFolder, runtime.log);
  try {
    const opened = openTree(config, files);
    try {
      const operation = new Operation(options, { files, workFolder, shelf, decryptor, opened });
      await operation.recover();
      return await work(operation);
    } finally {
      opened.tree.close();
    }
  } finally {
    await decryptor.close();
    await shelf.close();
    removeFolder(workFolder);
  }
}

/** What an operation works with. */
interface Tools {
  readonly files: StateFiles;
  readonly workFolder: string;
  readonly shelf: SourceShelf;
  readonly decryptor: Decryptor;
  readonly opened: OpenedTree;
}

export class Operation {
  readonly options: OperationOptions;
  readonly files: StateFiles;
  readonly opened: OpenedTree;
  readonly rules: PlanRules;
  readonly meter: PhaseMeter;
  readonly shelf: SourceShelf;
  readonly #decryptor: Decryptor;
  readonly #workFolder: string;
  #position: Position | undefined;
  #pool: SourcePool | undefined;

  constructor(options: OperationOptions, { files, workFolder, shelf, decryptor, opened }: Tools) {
    this.options = options;
    this.files = files;
    this.opened = opened;
    this.shelf = shelf;
    this.rules = planRules(options.config);
    this.meter = new PhaseMeter(options.runtime.clock, () => shelf.traffic());
    this.#decryptor = decryptor;
    this.#workFolder = workFolder;
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

  /** Ends a commit that was cut off, or clears away what a build left. */
  async recover(): Promise<void> {
    this.#position = await this.meter.run("recover", undefined, () => this.#recover());
  }

  /** Takes over what the cycles of this process did meanwhile. */
  reread(): void {
    this.#position = positionOf(this.opened.identity, readPosition(this.files.position));
  }

  /** The newest head that the trust rules accept, made durable. @throws MirrorError as `pollHead` */
  async poll(): Promise<Head> {
    return await this.meter.run("poll", "head", () => this.#poll());
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
    return await this.meter.run("ledger", "ledger", () => this.#ledger(head, chain));
  }

  /** The tree has been brought to `position`. */
  moveTo(position: Position): void {
    this.#position = position;
  }

  /** The tables and volumes of a chain, with an empty work folder. */
  openSets(head: Head, chain: number): OpenedSets {
    removeFolder(this.#workFolder);
    makeFolder(this.#workFolder, 0o700);
    const tools = { decryptor: this.#decryptor, workFolder: this.#workFolder };
    return openSets({ session: head.session, chain, pool: this.#poolOf(head), ...tools });
  }

  async #recover(): Promise<Position | undefined> {
    const { tree, identity, position } = this.opened;
    const { log } = this.options.runtime;
    const journal = readJournal(this.files.journal);
    if (journal === undefined) {
      closeStaging(tree, position?.tree.mtime);
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

  async #poll(): Promise<Head> {
    const state = readTrustState(this.files.trusted);
    const next = await this.#ask(state);
    if (next !== state) writeTrustState(this.files.trusted, next);
    if (next.trusted === undefined) throw new MirrorError("NO_SOURCE", "no source gave a head");
    return next.trusted.head;
  }

  async #ask(state: TrustState): Promise<TrustState> {
    const { config, runtime, signal, wait } = this.options;
    const options = {
      mirror: config.name,
      sources: this.shelf.sources(state.trusted?.head),
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

  async #ledger(head: Head, chain: number): Promise<LedgerLine[]> {
    const reference = findLedger(head, chain);
    if (reference === undefined) {
      const name = formatTime(chain);
      throw new MirrorError("GAP", `the publication no longer holds the chain of ${name}`);
    }
    makeFolder(this.files.ledgers, 0o700);
    return await readLedger({
      file: this.files.ledger(head.session, chain),
      session: head.session,
      reference,
      pool: this.#poolOf(head),
      signal: this.options.signal,
    });
  }

  #poolOf(head: Head): SourcePool {
    this.#pool ??= this.shelf.pool(head);
    return this.#pool;
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
