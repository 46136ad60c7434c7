/** The threads of large builds. Each gets the pages and chunks of what falls to it. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { MirrorError } from "../errors.js";
import { STRIPE_SIZE_BYTES } from "../limits.js";
import type { BuildPort, BuildResult } from "./build-port.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./build-worker.js";
import { ShareOut } from "./share-out.js";
import type { SetChunk, WorkPage } from "./work.js";

/** More of them wait for the one thread that fetches for all. */
const THREADS_MAX = 2;
/** Chunks pass through a ring of slots in shared memory: none is allocated or handed over twice. */
const SLOT_COUNT = 4;
const SLOT_BYTES = STRIPE_SIZE_BYTES;

/** One build after the other. */
export class BuildThreads implements BuildPort {
  readonly #threads: readonly BuildThread[];
  readonly #shareOut: ShareOut;
  readonly #ring = new Uint8Array(new SharedArrayBuffer(SLOT_COUNT * SLOT_BYTES));
  readonly #free = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);
  /** Of each slot, how many threads have not taken what is in it. */
  readonly #readers = new Uint8Array(SLOT_COUNT);
  #wake: () => void = () => undefined;

  constructor(options: Pick<WorkerSetup, "root" | "owners">) {
    const count = Math.min(THREADS_MAX, availableParallelism());
    const taken = (slot?: number): void => this.#taken(slot);
    this.#threads = Array.from(
      { length: count },
      (_, number) => new BuildThread({ ...options, ring: this.#ring, number }, taken),
    );
    this.#shareOut = new ShareOut(count);
  }

  addPage(page: WorkPage): void {
    for (const [number, share] of this.#shareOut.pages(page).entries()) {
      if (share !== undefined) this.#threads[number]?.addPage(share);
    }
  }

  async feed({ bytes, ...place }: SetChunk): Promise<number> {
    for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
      const slot = await this.#takeSlot();
      const piece = bytes.subarray(at, at + SLOT_BYTES);
      this.#ring.set(piece, slot * SLOT_BYTES);
      const chunk = { ...place, offset: place.offset + at, slot, sizeBytes: piece.length };
      const readers = this.#threads.filter((thread) => thread.makesOf(place.set));
      this.#readers[slot] = readers.length;
      for (const thread of readers) thread.send({ kind: "chunk", chunk });
      if (readers.length === 0) this.#free.push(slot);
    }
    return this.#threads.reduce((sum, { doneBytes }) => sum + doneBytes, 0);
  }

  async finish(): Promise<BuildResult> {
    const results = await Promise.all(this.#threads.map((thread) => thread.finish()));
    return {
      damaged: results.flatMap(({ damaged }) => damaged),
      specials: results.flatMap(({ specials }) => specials),
      skipped: results.flatMap(({ skipped }) => skipped),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  async #takeSlot(): Promise<number> {
    for (let slot = this.#free.pop(); ; slot = this.#free.pop()) {
      for (const { failure } of this.#threads) if (failure !== undefined) throw failure;
      if (slot !== undefined) return slot;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #taken(slot: number | undefined): void {
    if (slot !== undefined) {
      const readers = (this.#readers[slot] ?? 0) - 1;
      this.#readers[slot] = readers;
      if (readers > 0) return;
      this.#free.push(slot);
    }
    this.#wake();
  }
}

class BuildThread {
  /** Why it builds no more. */
  failure: Error | undefined;
  /** Of the build that is under way. */
  doneBytes = 0;
  readonly #worker: Worker;
  readonly #taken: (slot?: number) => void;
  /** Of which it has got pages. */
  readonly #sets = new Set<number>();
  #resolve: (result: BuildResult) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  /** `taken` is told of slots that are free again, and called without one when it fails. */
  constructor(setup: WorkerSetup, taken: (slot?: number) => void) {
    this.#taken = taken;
    this.#worker = new Worker(new URL("./build-worker.js", import.meta.url), { workerData: setup });
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("a thread of the build has ended")));
  }

  addPage(page: WorkPage): void {
    this.#sets.add(page.set);
    this.send({ kind: "page", page });
  }

  /** Whether anything of a set's volumes is for this thread. */
  makesOf(set: number): boolean {
    return this.#sets.has(set);
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** @throws MirrorError what this thread met */
  async finish(): Promise<BuildResult> {
    if (this.failure !== undefined) throw this.failure;
    return await new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.send({ kind: "finish" });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "taken":
        this.doneBytes = message.doneBytes;
        this.#taken(message.slot);
        return;
      case "done":
        this.doneBytes = 0;
        this.#sets.clear();
        this.#resolve(message.result);
        return;
      case "refused":
        this.#fail(new MirrorError(message.code, message.message));
    }
  }

  #fail(error: Error): void {
    this.failure ??= error;
    this.#reject(this.failure);
    this.#taken();
  }
}
