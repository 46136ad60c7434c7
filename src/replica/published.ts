/** A publication as this replica reads it, whatever for: the head, ledgers, and the sets of a chain. */
import type { ReplicaMirror } from "../config/replica.js";
import { makeFolder, removeFolder } from "../disk/durable.js";
import { formatSetName } from "../duplicity/names.js";
import { formatTime } from "../duplicity/time.js";
import { MirrorError } from "../errors.js";
import { findLedger, type Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import type { Runtime } from "../runtime.js";
import type { Rests } from "../store/resting-source.js";
import type { PublishedSet } from "./choose-target.js";
import { Decryptor } from "./decryptor.js";
import type { KeptPages } from "./kept-pages.js";
import { readLedger } from "./ledger-copy.js";
import { type OpenedSets, openSets } from "./open-sets.js";
import { pollHead } from "./poll.js";
import { PhaseMeter } from "./report.js";
import { SourceShelf } from "./sources.js";
import { type StateFiles, stateFiles } from "./state-files.js";
import { readTrustState, type TrustState, writeTrustState } from "./trusted-head.js";
import { readKeys } from "./trusted-keys.js";

export interface PublishedOptions {
  readonly config: ReplicaMirror;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  /** How long a source may hold back its answer while it has no new head, unless `wake` fires. */
  readonly wait?: { readonly forMs: number; readonly wake: AbortSignal };
  /** What sources asked for in earlier cycles of this process. */
  readonly rests?: Rests;
  /** Goes on beside the cycles of this process, and has a work folder of its own. */
  readonly isBeside?: boolean;
  /** Takes a head whose time is over, too: of a master that is no more. */
  readonly mayBeExpired?: boolean;
}

/** Opens the publication for `work`, in a state directory that is ours, and closes all afterwards. */
export async function withPublished<T>(
  options: PublishedOptions,
  work: (published: Published) => Promise<T>,
): Promise<T> {
  const { config, runtime, isBeside } = options;
  const files = stateFiles(config.stateDirectory);
  const workFolder = isBeside === true ? files.verifySpill : files.spill;
  const shelf = new SourceShelf(config, runtime, options.rests);
  const decryptor = new Decryptor(config, workFolder, runtime.log);
  try {
    return await work(new Published(options, { files, workFolder, shelf, decryptor }));
  } finally {
    await decryptor.close();
    await shelf.close();
    removeFolder(workFolder);
  }
}

/** What a publication is read with. */
interface Tools {
  readonly files: StateFiles;
  readonly workFolder: string;
  readonly shelf: SourceShelf;
  readonly decryptor: Decryptor;
}

export class Published {
  readonly options: PublishedOptions;
  readonly files: StateFiles;
  readonly shelf: SourceShelf;
  readonly meter: PhaseMeter;
  readonly #decryptor: Decryptor;
  readonly #workFolder: string;
  #pool: SourcePool | undefined;

  constructor(options: PublishedOptions, { files, workFolder, shelf, decryptor }: Tools) {
    this.options = options;
    this.files = files;
    this.shelf = shelf;
    this.meter = new PhaseMeter(options.runtime.clock, () => shelf.traffic());
    this.#decryptor = decryptor;
    this.#workFolder = workFolder;
  }

  /** The newest head that the trust rules accept, made durable. @throws MirrorError as `pollHead` */
  async poll(): Promise<Head> {
    return await this.meter.run("poll", "head", () => this.#poll());
  }

  /** All published sets of a chain that `head` retains. @throws MirrorError GAP when it does not */
  async readChain(head: Head, chain: number): Promise<LedgerLine[]> {
    return await this.meter.run("ledger", "ledger", () => this.#ledger(head, chain));
  }

  /** Of all retained chains, in order of time; of two with the same name the one published last. */
  async readSets(head: Head): Promise<PublishedSet[]> {
    const sets = new Map<string, PublishedSet>();
    for (const { chain } of head.ledgers) {
      for (const { set, isWithheld } of await this.readChain(head, chain)) {
        sets.set(formatSetName(set), { chain, set, isWithheld: isWithheld === true });
      }
    }
    return [...sets.values()].sort((a, b) => a.set.time - b.set.time);
  }

  /** The tables and volumes of a chain, with an empty work folder. */
  openSets(head: Head, chain: number, kept?: KeptPages): OpenedSets {
    removeFolder(this.#workFolder);
    makeFolder(this.#workFolder, 0o700);
    const tools = { decryptor: this.#decryptor, workFolder: this.#workFolder, kept };
    return openSets({ session: head.session, chain, pool: this.pool(head), ...tools });
  }

  /** All sources, for as long as the publication is open. */
  pool(head: Head): SourcePool {
    this.#pool ??= this.shelf.pool(head);
    return this.#pool;
  }

  async #poll(): Promise<Head> {
    const state = readTrustState(this.files.trusted);
    const next = await this.#ask(state);
    if (next !== state) writeTrustState(this.files.trusted, next);
    if (next.trusted === undefined) throw new MirrorError("NO_SOURCE", "no source gave a head");
    return next.trusted.head;
  }

  async #ask(state: TrustState): Promise<TrustState> {
    const { config, runtime, signal, wait, mayBeExpired = false } = this.options;
    const options = {
      mirror: config.name,
      mayBeExpired,
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
      pool: this.pool(head),
      signal: this.options.signal,
    });
  }
}
