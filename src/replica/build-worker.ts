/** A thread of large builds: takes pages and chunks in the order in which they were sent. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { ReplicaMirror } from "../config/replica.js";
import { ConfinedTree } from "../disk/confined.js";
import { type ErrorCode, isMirrorError } from "../errors.js";
import { STRIPE_SIZE_BYTES } from "../limits.js";
import type { BuildResult } from "./build-port.js";
import { Builder } from "./builder.js";
import { ownerPolicy } from "./owners.js";
import type { SetChunk, WorkPage } from "./work.js";

export interface WorkerSetup {
  readonly root: string;
  readonly owners: ReplicaMirror["owners"];
  /** Slots of STRIPE_SIZE_BYTES, shared with the sender. */
  readonly ring: Uint8Array;
  /** Which of the threads this is, from 0. */
  readonly number: number;
}

/** A build ends with `finish`; what comes after that belongs to the next one. */
export type ToWorker =
  | { readonly kind: "page"; readonly page: WorkPage }
  | { readonly kind: "chunk"; readonly chunk: SlottedChunk }
  | { readonly kind: "finish" };

export type FromWorker =
  | { readonly kind: "taken"; readonly slot: number; readonly doneBytes: number }
  | { readonly kind: "done"; readonly result: BuildResult }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string };

export interface SlottedChunk extends Omit<SetChunk, "bytes"> {
  readonly slot: number;
  readonly sizeBytes: number;
}

function work(port: MessagePort, setup: WorkerSetup): void {
  const workbench = new Workbench(setup);
  const answer = (message: FromWorker): void => port.postMessage(message);
  port.on("message", (message: ToWorker) => {
    try {
      const reply = workbench.obey(message);
      if (reply !== undefined) answer(reply);
    } catch (error) {
      if (!isMirrorError(error)) throw error;
      answer({ kind: "refused", code: error.code, message: error.message });
    }
  });
}

/** Where one build after the other is done. */
class Workbench {
  readonly #setup: WorkerSetup;
  readonly #tree: ConfinedTree;
  #builder: Builder | undefined;

  constructor(setup: WorkerSetup) {
    this.#setup = setup;
    this.#tree = ConfinedTree.open(setup.root);
  }

  obey(message: ToWorker): FromWorker | undefined {
    this.#builder ??= this.#open();
    switch (message.kind) {
      case "page":
        this.#builder.addPage(message.page);
        return undefined;
      case "chunk": {
        const { slot, sizeBytes, ...place } = message.chunk;
        const start = slot * STRIPE_SIZE_BYTES;
        const bytes = this.#setup.ring.subarray(start, start + sizeBytes);
        this.#builder.feed({ ...place, bytes });
        return { kind: "taken", slot, doneBytes: this.#builder.doneBytes };
      }
      case "finish": {
        this.#builder.finish();
        const { damaged, specials, skipped } = this.#builder;
        this.#builder = undefined;
        return { kind: "done", result: { damaged, specials, skipped } };
      }
    }
  }

  #open(): Builder {
    const { owners, number } = this.#setup;
    return new Builder({ tree: this.#tree, ownerOf: ownerPolicy(owners), number });
  }
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-argument -- given by BuildThread, with this type
if (parentPort !== null) work(parentPort, workerData);
