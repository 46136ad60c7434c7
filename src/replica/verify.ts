/**
 * Compares the tree with what its set recorded, and mends it (docs/architecture.md, "Verify"). Long, so it goes on
 * where it was cut off, and can be done in slices beside the cycles of a daemon.
 */
import { type TreePath } from "../bytes/tree-path.js";
import { formatSize } from "../bytes/units.js";
import { formatSetName } from "../duplicity/names.js";
import { MirrorError } from "../errors.js";
import { type Head, retainsChain } from "../manifest/head.js";
import type { Finding } from "./compare.js";
import { type ComparePort, openComparePort } from "./compare-port.js";
import { batchesOf, compareBatches } from "./compare-tree.js";
import type { Compared } from "./comparer.js";
import { dropRepair } from "./finish.js";
import { doneVerify, writeLastVerify } from "./last-verify.js";
import type { OpenedSets } from "./open-sets.js";
import {
  type Lineage,
  type Operation,
  type OperationOptions,
  operate,
  withLock,
} from "./operation.js";
import { findPosition, type Position, readPosition, samePosition } from "./position.js";
import type { FileCounts } from "./report.js";
import { SliceGate } from "./slice-gate.js";
import { updateTree } from "./update.js";
import { type VerifyReport, verifyReport } from "./verify-report.js";
import { forgetVerify, VerifyState } from "./verify-state.js";

export interface VerifyOptions extends OperationOptions {
  /** Mend all that is found. */
  readonly repair: boolean;
  /** When mending, delete as many objects as it takes. */
  readonly forcePurge?: boolean;
  /** All else on the machine goes first: files are read in a thread of its own. */
  readonly isIdle: boolean;
  /** When to go on. */
  readonly gate?: SliceGate;
}

/** Verifies a tree at rest. @throws MirrorError LOCKED while another process works on the mirror */
export async function verifyOnce(options: VerifyOptions): Promise<VerifyReport> {
  return await withLock(options, () => runVerify(options));
}

/**
 * Verifies, in a state directory that is ours. What stops it leaves behind how far it came; the next one goes on
 * from there. @throws MirrorError USAGE when the tree is at no set, or its part of the mirror was chosen anew; GAP
 * when its set is no longer published
 */
export async function runVerify(options: VerifyOptions): Promise<VerifyReport> {
  return await operate(options, async (operation) => {
    const verification = new Verification(operation, options);
    try {
      return await verification.run();
    } finally {
      await verification.close();
    }
  });
}

/** What the tree is compared with. */
interface Target {
  readonly position: Position;
  readonly head: Head;
  readonly lineage: Lineage;
}

class Verification {
  readonly #operation: Operation;
  readonly #options: VerifyOptions;
  readonly #gate: SliceGate;
  readonly #port: ComparePort;
  #target: Target | undefined;
  #state: VerifyState | undefined;
  #sets: OpenedSets | undefined;
  #readBytes = 0;
  #savedMs = 0;

  constructor(operation: Operation, options: VerifyOptions) {
    const { config, runtime, isIdle, gate } = options;
    this.#operation = operation;
    this.#options = options;
    this.#gate = gate ?? SliceGate.opened();
    const { tree: root, delete: deleting } = config;
    const onRead = (bytes: number): void => this.#tell(bytes);
    const port = { root, protect: deleting.protect, onRead, log: runtime.log };
    this.#port = openComparePort(port, isIdle);
    this.#gate.watch({ opened: () => this.#goOn(), closed: () => this.#port.pause() });
  }

  async run(): Promise<VerifyReport> {
    const { signal } = this.#options;
    for (let isDone = false; !isDone; ) {
      const begun = await this.#gate.hold(signal, () => this.#begin());
      isDone = await this.#compare(begun.target, begun.state);
    }
    return await this.#gate.hold(signal, () => this.#finish());
  }

  async close(): Promise<void> {
    this.#gate.watch(undefined);
    await this.#port.close();
  }

  /** From the beginning, or from where the tree was compared last. */
  async #begin(): Promise<{ readonly target: Target; readonly state: VerifyState }> {
    const { files, filter } = this.#operation;
    const target = await this.#locate();
    const { session } = target.head;
    const now = this.#options.runtime.clock.now();
    this.#state ??= VerifyState.open(files, { session, filter, now });
    this.#port.begin(this.#state.progress.marker);
    return { target, state: this.#state };
  }

  /** Whether all was compared; not so when the tree went on to another set meanwhile. */
  async #compare(target: Target, state: VerifyState): Promise<boolean> {
    const { signal, runtime } = this.#options;
    const { tables } = this.#setsOf(target);
    const { marker } = state.progress;
    const batches = batchesOf(this.#operation, target.lineage, tables, marker);
    try {
      const isDone = await this.#operation.meter.run("compare", undefined, () =>
        compareBatches(this.#port, batches, (compared) => this.#record(state, compared), signal),
      );
      signal.throwIfAborted();
      return isDone;
    } finally {
      state.save(runtime.clock.now());
    }
  }

  /** Mends what was found, when that is asked for, and tells of it all. */
  async #finish(): Promise<VerifyReport> {
    const { repair, forcePurge } = this.#options;
    const state = this.#state;
    const isDamaged = state !== undefined && state.progress.damaged > 0;
    const target = repair && isDamaged ? await this.#locate() : this.#target;
    if (target === undefined || state === undefined) throw new RangeError("nothing was compared");
    const { position, head, lineage } = target;
    let repaired: FileCounts | undefined;
    if (repair && isDamaged) {
      const { paths, differing } = pathsOf(state.findings());
      const sets = this.#setsOf(target);
      const order = { head, lineage, choice: { kind: "repair", paths }, differing, sets } as const;
      repaired = (await updateTree(this.#operation, { ...order, forcePurge })).files;
    }
    const { files } = this.#operation;
    const { progress, isResumed } = state;
    const report = verifyReport(this.#operation, { position, progress, isResumed, repaired });
    writeLastVerify(files, doneVerify(this.#options.runtime.clock.now(), report));
    forgetVerify(files);
    dropRepair(this.#operation);
    return report;
  }

  /** The set that the tree is at now, and what is published of it. */
  async #locate(): Promise<Target> {
    const operation = this.#operation;
    operation.reread();
    const { position, filter } = operation;
    const { tree } = this.#options.config;
    if (position === undefined) {
      throw new MirrorError("USAGE", `${tree} is at no published set yet: run replica sync first`);
    }
    if (position.filter !== filter) {
      const message = `${tree} was made with other include, exclude, protect or owners: run replica sync first`;
      throw new MirrorError("USAGE", message);
    }
    const head = await operation.poll();
    if (!retainsChain(head, position)) throw notHeld(position, tree);
    const lineage = await operation.readLineage(head, position);
    if (findPosition(position, lineage.lines) === -1) throw notHeld(position, tree);
    this.#target = { position, head, lineage };
    return this.#target;
  }

  /** Kept while the tree stays in its chain: what was fetched is not fetched again. */
  #setsOf({ head, lineage: { chain } }: Target): OpenedSets {
    const place = this.#sets?.place;
    if (this.#sets === undefined || place?.chain !== chain || place.session !== head.session) {
      this.#sets = this.#operation.openSets(head, chain);
    }
    return this.#sets;
  }

  /** The gate has opened: the tree may have gone on to another set. */
  #goOn(): void {
    if (this.#target === undefined) return;
    const now = readPosition(this.#operation.files.position);
    if (samePosition(now, this.#target.position)) this.#port.resume();
    else this.#port.abandon();
  }

  #record(state: VerifyState, { findings, entries, bytes, upTo }: Compared): void {
    const { progress } = state;
    for (const finding of findings) state.add(finding);
    progress.entries += entries;
    progress.bytes += bytes;
    progress.marker = upTo ?? progress.marker;
    this.#tell(0);
    const { clock } = this.#options.runtime;
    if (clock.monotonicMs() - this.#savedMs < SAVE_EVERY_MS) return;
    state.save(clock.now());
    this.#savedMs = clock.monotonicMs();
  }

  #tell(readBytes: number): void {
    this.#readBytes += readBytes;
    const { entries } = this.#state?.progress ?? { entries: 0 };
    const total = Math.max(entries, this.#target?.position.entryCount ?? 0);
    this.#options.runtime.progress(`verify ${formatSize(this.#readBytes)}`, entries, total);
  }
}

const SAVE_EVERY_MS = 5000;

function notHeld({ set }: Position, tree: string): MirrorError {
  return new MirrorError(
    "GAP",
    `${tree} is at ${formatSetName(set)}, which is no longer published: ` +
      "the next replica sync compares it with the newest set",
  );
}

/** What is to be mended, and of which files the content is known to be wrong. */
function pathsOf(findings: readonly Finding[]) {
  const paths = new Set<TreePath>();
  const differing = new Set<TreePath>();
  for (const { path, kind } of findings) {
    paths.add(path);
    if (kind === "content" || kind === "unreadable") differing.add(path);
  }
  return { paths, differing };
}
