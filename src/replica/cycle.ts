/** One cycle of a replica, a line per step (docs/architecture.md, "Replica: one cycle"). */
import type { Head } from "../manifest/head.js";
import { type Choice, chooseStrategy } from "./choose.js";
import { dropUnfinished, finishUnfinished } from "./finish.js";
import { readHold, reportHold } from "./hold.js";
import { followOldChain, joinReports } from "./old-chain.js";
import {
  type Lineage,
  type Operation,
  type OperationOptions,
  operate,
  withLock,
} from "./operation.js";
import { isNewest } from "./position.js";
import type { SyncReport } from "./report.js";
import { reportNothing, updateTree } from "./update.js";

export interface SyncOptions extends OperationOptions {
  /** Plan and report, but change nothing in the tree. */
  readonly dryRun?: boolean;
  /** Delete as many objects as it takes, this once. */
  readonly forcePurge?: boolean;
  /** Compare all of the tree with the newest set, and files by their signatures. */
  readonly checksum?: boolean;
}

/** Brings the tree to the newest published set. @throws MirrorError LOCKED while another process is at it */
export async function syncOnce(options: SyncOptions): Promise<SyncReport> {
  return await withLock(options, () => runCycle(options));
}

/** One cycle, in a state directory that is ours. */
export async function runCycle(options: SyncOptions): Promise<SyncReport> {
  return await operate(options, (operation) => cycle(operation, options));
}

async function cycle(operation: Operation, options: SyncOptions): Promise<SyncReport> {
  const head = await operation.poll();
  const hold = readHold(operation.files.hold);
  if (hold === undefined) return await bringToNewest(operation, head, options);
  dropUnfinished(operation);
  const held = reportHold(hold, { head, position: operation.position });
  return { ...reportNothing(operation, head), held };
}

/** What a cycle does once it knows the head. */
export async function bringToNewest(
  operation: Operation,
  head: Head,
  { dryRun, forcePurge, checksum }: SyncOptions,
): Promise<SyncReport> {
  const nothing = (): SyncReport => {
    if (dryRun !== true) dropUnfinished(operation);
    return reportNothing(operation, head);
  };
  if (checksum !== true && isCurrent(operation, head)) return nothing();
  const before = dryRun === true ? undefined : await catchUp(operation, { head, forcePurge });
  const lineage = await operation.readLineage(head, head.newest);
  const choice = choose(operation, { head, lineage, checksum });
  if (choice.kind === "none") return joinReports(before, nothing());
  const order = { head, lineage, choice, dryRun, forcePurge, checksum };
  return joinReports(before, await updateTree(operation, order));
}

/** What comes before the newest set: the end of a build that was cut off, and of the chain that the tree is in. */
async function catchUp(
  operation: Operation,
  order: { readonly head: Head; readonly forcePurge: boolean | undefined },
): Promise<SyncReport | undefined> {
  const finished = await finishUnfinished(operation, order);
  const missed = await followOldChain(operation, order);
  return missed === undefined ? finished : joinReports(finished, missed);
}

function isCurrent({ position, filter }: Operation, head: Head): boolean {
  return position?.filter === filter && isNewest(position, head);
}

function choose(
  { position, filter, opened }: Operation,
  facts: {
    readonly head: Head;
    readonly lineage: Lineage;
    readonly checksum: boolean | undefined;
  },
): Choice {
  const { head, lineage, checksum } = facts;
  const isTreeEmpty = opened.isEmpty;
  if (checksum === true) return { kind: isTreeEmpty ? "fresh" : "rebase" };
  return chooseStrategy({ head, lineage: lineage.lines, position, isTreeEmpty, filter });
}
