/** Where a tree is compared: here, or at idle priority in a thread of its own. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { TreePath } from "../bytes/tree-path.js";
import { ConfinedTree } from "../disk/confined.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { makeIdleAtDisk } from "../programs/ionice.js";
import type { Log } from "../runtime.js";
import { ABANDONED, PAUSED, RUNNING } from "./compare-state.js";
import type { ComparerSetup, FromComparer, ToComparer } from "./compare-worker.js";
import { type Batch, type Compared, Comparer } from "./comparer.js";
import { pathMatcher } from "./patterns.js";

/** One comparison after the other, of one tree. */
export interface ComparePort {
  /** Begins anew after a path; everything before has come to an end. */
  begin(after: TreePath | undefined): void;
  /** Batches are compared in the order in which they are given; nothing when the batch was abandoned. */
  compare(batch: Batch): Promise<Compared | undefined>;
  /** Stops within a piece of a file, and holds everything as it is. */
  pause(): void;
  resume(): void;
  /** Ends the batches that were given, done or not, until the next `begin`. */
  abandon(): void;
  close(): Promise<void>;
}

export interface ComparePortOptions {
  readonly root: string;
  readonly protect: readonly string[];
  /** Told of what is read of files, now and then. */
  readonly onRead: (bytes: number) => void;
  readonly log: Log;
}

/** @param isIdle whether all else on the machine goes first */
export function openComparePort(options: ComparePortOptions, isIdle: boolean): ComparePort {
  return isIdle ? new WorkerPort(options) : new LocalPort(options);
}

class LocalPort implements ComparePort {
  readonly #tree: ConfinedTree;
  readonly #comparer: Comparer;
  #last: Promise<unknown> = Promise.resolve();
  #isAbandoned = false;
  #paused: Settable<undefined> | undefined;
  #turns = 0;

  constructor({ root, protect, onRead }: ComparePortOptions) {
    this.#tree = ConfinedTree.open(root);
    const isProtected = pathMatcher(protect);
    const turn = async (sizeBytes: number): Promise<void> => {
      if (sizeBytes > 0) onRead(sizeBytes);
      await this.#takeTurn();
    };
    this.#comparer = new Comparer({ tree: this.#tree, isProtected, turn });
  }

  begin(after: TreePath | undefined): void {
    this.#isAbandoned = false;
    this.#comparer.begin(after);
  }

  compare(batch: Batch): Promise<Compared | undefined> {
    const compared = this.#last.then(() => this.#compare(batch));
    this.#last = compared.catch(() => undefined);
    return compared;
  }

  pause(): void {
    if (this.#paused !== undefined) return;
    this.#paused = settable<undefined>();
  }

  resume(): void {
    this.#paused?.resolve(undefined);
    this.#paused = undefined;
  }

  abandon(): void {
    this.#isAbandoned = true;
    this.resume();
  }

  async close(): Promise<void> {
    this.abandon();
    await this.#last;
    this.#tree.close();
  }

  async #compare(batch: Batch): Promise<Compared | undefined> {
    try {
      return await this.#comparer.compare(batch);
    } catch (error) {
      if (error instanceof Abandoned) return undefined;
      throw error;
    }
  }

  async #takeTurn(): Promise<void> {
    if (++this.#turns % OBJECTS_PER_TURN === 0) await nextTurn();
    while (this.#paused !== undefined) await this.#paused.promise;
    if (this.#isAbandoned) throw new Abandoned();
  }
}

class Abandoned extends Error {}

const OBJECTS_PER_TURN = 64;

class WorkerPort implements ComparePort {
  readonly #options: ComparePortOptions;
  readonly #state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #worker: Worker;
  readonly #ended = new AbortController();
  readonly #waiting: Settable<Compared | undefined>[] = [];
  #failure: Error | undefined;

  constructor(options: ComparePortOptions) {
    this.#options = options;
    const { root, protect } = options;
    const workerData: ComparerSetup = { root, protect, state: this.#state };
    this.#worker = new Worker(new URL("./compare-worker.js", import.meta.url), { workerData });
    this.#worker.on("message", (message: FromComparer) => this.#receive(message));
    this.#worker.on("error", (error: Error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the comparison's thread has ended")));
  }

  begin(after: TreePath | undefined): void {
    this.#set(RUNNING);
    this.#send({ kind: "begin", after });
  }

  compare(batch: Batch): Promise<Compared | undefined> {
    const waiting = settable<Compared | undefined>();
    this.#waiting.push(waiting);
    if (this.#failure === undefined) this.#send({ kind: "compare", batch });
    else this.#fail(this.#failure);
    return waiting.promise;
  }

  pause(): void {
    if (Atomics.load(this.#state, 0) === RUNNING) this.#set(PAUSED);
  }

  resume(): void {
    if (Atomics.load(this.#state, 0) === PAUSED) this.#set(RUNNING);
  }

  abandon(): void {
    this.#set(ABANDONED);
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.abandon();
    await this.#worker.terminate();
  }

  #set(state: number): void {
    Atomics.store(this.#state, 0, state);
    Atomics.notify(this.#state, 0);
  }

  #send(message: ToComparer): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromComparer): void {
    switch (message.kind) {
      case "started":
        void this.#makeIdle(message.thread);
        return;
      case "read":
        this.#options.onRead(message.bytes);
        return;
      case "compared":
        this.#waiting.shift()?.resolve(message.compared);
        return;
      case "abandoned":
        this.#waiting.shift()?.resolve(undefined);
        return;
      case "refused":
        this.#fail(new MirrorError(message.code, message.message));
    }
  }

  async #makeIdle(thread: number): Promise<void> {
    try {
      await makeIdleAtDisk(thread, { signal: this.#ended.signal });
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      const reason = isMirrorError(error) ? error.message : String(error);
      this.#options.log.debug("verify.ionice", { reason });
    }
  }

  #fail(failure: Error): void {
    this.#failure ??= failure;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

interface Settable<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function settable<T>(): Settable<T> {
  let resolve: Settable<T>["resolve"] = () => undefined;
  let reject: Settable<T>["reject"] = () => undefined;
  const promise = new Promise<T>((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
