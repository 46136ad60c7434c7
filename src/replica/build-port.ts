/** Where a build works: small ones here, large ones in a thread of their own, beside fetching and decoding. */
import { Worker } from "node:worker_threads";
import type { TreePath } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import type { ConfinedTree } from "../disk/confined.js";
import { MirrorError } from "../errors.js";
import { STRIPE_SIZE_BYTES } from "../limits.js";
import type { FromWorker, WorkerSetup } from "./build-worker.js";
import { Builder, type SpecialStep } from "./builder.js";
import { ownerPolicy } from "./owners.js";
import type { PlanCounts } from "./plan.js";
import type { SetChunk, WorkPage } from "./work.js";

export interface BuildPort {
  /** Comes before the chunks that its entries want. */
  addPage(page: WorkPage): void;
  /** Resolves to the bytes staged so far once there is room for another chunk; `bytes` may then be reused. */
  feed(chunk: SetChunk): Promise<number>;
  /** After the last chunk. @throws MirrorError what the build met */
  finish(): Promise<BuildResult>;
  close(): Promise<void>;
}

export interface BuildResult {
  readonly damaged: readonly TreePath[];
  readonly specials: readonly SpecialStep[];
  readonly skipped: readonly TreePath[];
}

export interface PortOptions {
  readonly tree: ConfinedTree;
  readonly owners: ReplicaMirror["owners"];
  readonly counts: PlanCounts;
}

export function openBuildPort({ tree, owners, counts }: PortOptions): BuildPort {
  const { written, patched, special } = counts;
  if (written + patched + special < WORKER_MIN_OBJECTS) return new LocalPort(tree, owners);
  return new WorkerPort({ root: tree.root, owners });
}

/** A thread costs some 50 ms before it does anything. */
const WORKER_MIN_OBJECTS = 4000;

class LocalPort implements BuildPort {
  readonly #builder: Builder;

  constructor(tree: ConfinedTree, owners: ReplicaMirror["owners"]) {
    this.#builder = new Builder({ tree, ownerOf: ownerPolicy(owners) });
  }

  addPage(page: WorkPage): void {
    this.#builder.addPage(page);
  }

  feed(chunk: SetChunk): Promise<number> {
    this.#builder.feed(chunk);
    return Promise.resolve(this.#builder.doneBytes);
  }

  finish(): Promise<BuildResult> {
    this.#builder.finish();
    const { damaged, specials, skipped } = this.#builder;
    return Promise.resolve({ damaged, specials, skipped });
  }

  close(): Promise<void> {
    this.#builder.close();
    return Promise.resolve();
  }
}

/** Chunks pass through a ring of slots in shared memory: none is allocated or handed over twice. */
const SLOT_COUNT = 8;
const SLOT_BYTES = STRIPE_SIZE_BYTES;

class WorkerPort implements BuildPort {
  readonly #worker: Worker;
  readonly #ring = new Uint8Array(new SharedArrayBuffer(SLOT_COUNT * SLOT_BYTES));
  readonly #free = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);
  readonly #result: Promise<BuildResult>;
  #wake: () => void = () => undefined;
  #failure: Error | undefined;
  #doneBytes = 0;

  constructor(options: Omit<WorkerSetup, "ring">) {
    const workerData: WorkerSetup = { ...options, ring: this.#ring };
    this.#worker = new Worker(new URL("./build-worker.js", import.meta.url), { workerData });
    this.#result = new Promise((resolve, reject) => {
      this.#worker.on("message", (message: FromWorker) => this.#receive(message, resolve, reject));
      this.#worker.on("error", reject);
      this.#worker.on("exit", () => reject(new Error("the build's thread has ended")));
    });
    this.#result.catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
      this.#wake();
    });
  }

  addPage(page: WorkPage): void {
    this.#worker.postMessage({ kind: "page", page });
  }

  async feed({ bytes, ...place }: SetChunk): Promise<number> {
    for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
      const slot = await this.#takeSlot();
      const piece = bytes.subarray(at, at + SLOT_BYTES);
      this.#ring.set(piece, slot * SLOT_BYTES);
      const chunk = { ...place, offset: place.offset + at, slot, sizeBytes: piece.length };
      this.#worker.postMessage({ kind: "chunk", chunk });
    }
    return this.#doneBytes;
  }

  async finish(): Promise<BuildResult> {
    this.#worker.postMessage({ kind: "finish" });
    return await this.#result;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #takeSlot(): Promise<number> {
    for (let slot = this.#free.pop(); ; slot = this.#free.pop()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (slot !== undefined) return slot;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #receive(
    message: FromWorker,
    resolve: (result: BuildResult) => void,
    reject: (error: unknown) => void,
  ): void {
    switch (message.kind) {
      case "taken":
        this.#doneBytes = message.doneBytes;
        this.#free.push(message.slot);
        this.#wake();
        return;
      case "done":
        resolve(message.result);
        return;
      case "refused":
        reject(new MirrorError(message.code, message.message));
    }
  }
}
