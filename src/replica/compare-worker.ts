/** The thread of a comparison at idle priority: obeys in the order in which it is told. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { TreePath } from "../bytes/tree-path.js";
import { ConfinedTree } from "../disk/confined.js";
import { lowerThreadPriority } from "../disk/thread.js";
import { type ErrorCode, isMirrorError } from "../errors.js";
import { ABANDONED, PAUSED } from "./compare-state.js";
import { type Batch, type Compared, Comparer } from "./comparer.js";
import { pathMatcher } from "./patterns.js";

export interface ComparerSetup {
  readonly root: string;
  readonly protect: readonly string[];
  /** One number in shared memory: what the comparison shall do now. */
  readonly state: Int32Array;
}

export type ToComparer =
  | { readonly kind: "begin"; readonly after: TreePath | undefined }
  | { readonly kind: "compare"; readonly batch: Batch };

export type FromComparer =
  | { readonly kind: "started"; readonly thread: number }
  /** Of a file that is being read. */
  | { readonly kind: "read"; readonly bytes: number }
  | { readonly kind: "compared"; readonly compared: Compared }
  | { readonly kind: "abandoned" }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string };

// eslint-disable-next-line @typescript-eslint/no-unsafe-argument -- given by WorkerPort, with this type
if (parentPort !== null) work(parentPort, workerData);

function work(port: MessagePort, { root, protect, state }: ComparerSetup): void {
  const answer = (message: FromComparer): void => port.postMessage(message);
  answer({ kind: "started", thread: lowerThreadPriority() });
  const tree = ConfinedTree.open(root);
  let unreported = 0;
  const turn = (sizeBytes: number): undefined => {
    waitWhilePaused(state);
    unreported += sizeBytes;
    if (unreported < REPORT_BYTES) return;
    answer({ kind: "read", bytes: unreported });
    unreported = 0;
  };
  const comparer = new Comparer({ tree, isProtected: pathMatcher(protect), turn });
  let last = Promise.resolve();
  port.on("message", (message: ToComparer) => {
    last = last.then(async () => {
      const reply = await obey(comparer, message);
      if (reply !== undefined) answer(reply);
    });
  });
}

/** How often the reading of large files is told. */
const REPORT_BYTES = 16 * 1024 * 1024;

/** Thrown to end what is under way. */
class Abandoned extends Error {}

function waitWhilePaused(state: Int32Array): void {
  while (Atomics.load(state, 0) === PAUSED) Atomics.wait(state, 0, PAUSED);
  if (Atomics.load(state, 0) === ABANDONED) throw new Abandoned();
}

async function obey(comparer: Comparer, message: ToComparer): Promise<FromComparer | undefined> {
  try {
    if (message.kind === "compare") {
      return { kind: "compared", compared: await comparer.compare(message.batch) };
    }
    comparer.begin(message.after);
    return undefined;
  } catch (error) {
    if (error instanceof Abandoned) return { kind: "abandoned" };
    if (!isMirrorError(error)) throw error;
    return { kind: "refused", code: error.code, message: error.message };
  }
}
