/** The thread of a large build: takes pages and chunks in the order in which they were sent. */
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
}

export type ToWorker =
  | { readonly kind: "page"; readonly page: WorkPage }
  | { readonly kind: "chunk"; readonly chunk: SlottedChunk }
  | { readonly kind: "finish" };

export type FromWorker =
  | { readonly kind: "taken"; readonly slot: number; readonly doneBytes: number }
  | { readonly kind: "done"; readonly result: BuildResult }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string };

interface SlottedChunk extends Omit<SetChunk, "bytes"> {
  readonly slot: number;
  readonly sizeBytes: number;
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-argument -- given by WorkerPort, with this type
if (parentPort !== null) work(parentPort, workerData);

function work(port: MessagePort, setup: WorkerSetup): void {
  const tree = ConfinedTree.open(setup.root);
  const builder = new Builder({ tree, ownerOf: ownerPolicy(setup.owners) });
  const answer = (message: FromWorker): void => port.postMessage(message);
  port.on("message", (message: ToWorker) => {
    try {
      const reply = obey(builder, setup.ring, message);
      if (reply !== undefined) answer(reply);
    } catch (error) {
      if (!isMirrorError(error)) throw error;
      answer({ kind: "refused", code: error.code, message: error.message });
    }
  });
}

function obey(builder: Builder, ring: Uint8Array, message: ToWorker): FromWorker | undefined {
  switch (message.kind) {
    case "page":
      builder.addPage(message.page);
      return undefined;
    case "chunk": {
      const { slot, sizeBytes, ...place } = message.chunk;
      const start = slot * STRIPE_SIZE_BYTES;
      builder.feed({ ...place, bytes: ring.subarray(start, start + sizeBytes) });
      return { kind: "taken", slot, doneBytes: builder.doneBytes };
    }
    case "finish": {
      builder.finish();
      const { damaged, specials, skipped } = builder;
      return { kind: "done", result: { damaged, specials, skipped } };
    }
  }
}
