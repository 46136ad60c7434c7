/** Brings an opened tree to a published set: plan, guards, build, commit. */
import type { TreePath } from "../bytes/tree-path.js";
import { freeSpace } from "../disk/space.js";
import { findLedger, type Head } from "../manifest/head.js";
import { findDiffering } from "./compare-tree.js";
import { estimateFetch } from "./estimate.js";
import { checkGuards } from "./guards.js";
import { type MadePlan, makePlan, type PlanOptions, type UpdateChoice } from "./make-plan.js";
import type { OpenedSets } from "./open-sets.js";
import type { Lineage, Operation } from "./operation.js";
import type { Position, TreeIdentity } from "./position.js";
import { checkProtected } from "./protected.js";
import { build, commitStage, planJournal, plannedSets, type ReplayOptions } from "./replay.js";
import { type FileCounts, reportPosition, type SyncReport } from "./report.js";
import type { SetPlace } from "./sets.js";
import { closeStaging, rootMtime } from "./staging.js";

/** What shall be done to the tree. */
export interface UpdateOrder {
  readonly head: Head;
  /** Ends in the set that the tree is brought to. */
  readonly lineage: Lineage;
  readonly choice: UpdateChoice;
  /** Files of the tree whose content is known not to be the set's; all others of its size have it. */
  readonly differing?: ReadonlySet<TreePath> | undefined;
  /** Find those first, by reading every file. */
  readonly checksum?: boolean | undefined;
  /** The chain's, when they are open already. */
  readonly sets?: OpenedSets | undefined;
  /** Plan and report, but change nothing in the tree. */
  readonly dryRun?: boolean | undefined;
  /** Delete as many objects as it takes, this once. */
  readonly forcePurge?: boolean | undefined;
  /** Called when all is staged and durable, and the tree still as it was. */
  readonly beforeCommit?: () => void;
}

/** Obeys `order`; the guards are asked before anything is changed. */
export async function updateTree(operation: Operation, order: UpdateOrder): Promise<SyncReport> {
  const { opened, rules, meter, files, options } = operation;
  const { tree } = opened;
  const { config, runtime, signal } = options;
  const { beforeCommit } = order;
  const { tables, place } = order.sets ?? operation.openSets(order.head, order.lineage.chain);
  const isRead = order.checksum === true && order.choice.kind !== "fresh";
  const differing = isRead
    ? await findDiffering(operation, order.lineage, tables)
    : order.differing;
  const planning = planningOf(operation, { ...order, differing }, tables);
  const made = await meter.run("plan", "tables", () => makePlan(planning));
  const { plan, entryCount } = made;
  checkProtected(tree, plan.replaced, rules.isProtected);
  const free = freeSpace(tree.root);
  checkGuards(config, { plan, entryCount, free, forcePurge: order.forcePurge === true });
  if (order.dryRun === true) return await reportPlan(operation, order, { made, planning, place });
  const rootTime = operation.position?.tree.mtime ?? rootMtime(tree);
  const replay = { made, planning, place, owners: config.owners, rootTime, runtime, signal };
  const history = await buildOrClear(operation, replay);
  const journal = planJournal(replay, history, target(operation, order, made));
  await meter.run("commit", undefined, () =>
    commitStage(tree, journal, files, { ...operation.commitRules, rootTime, beforeCommit }),
  );
  const mended = history === undefined ? 0 : history.plan.counts.written;
  const done = report(operation, order, { made, mended, after: journal.position });
  operation.moveTo(journal.position);
  return done;
}

/** Of an operation that found nothing to do. */
export function reportNothing(operation: Operation, head: Head): SyncReport {
  const at = reportPosition(operation.position);
  return {
    ...common(operation, head),
    strategy: "none",
    positionBefore: at,
    positionAfter: at,
    setsFollowed: 0,
    files: NO_FILES,
  };
}

function planningOf(
  { options, opened, position, rules, pages }: Operation,
  { choice, lineage, differing }: UpdateOrder,
  tables: PlanOptions["tables"],
): PlanOptions {
  const { runtime, signal } = options;
  return {
    choice,
    differing,
    lineage: lineage.lines,
    position,
    tree: opened.tree,
    tables,
    rules,
    pages,
    log: runtime.log,
    signal,
  };
}

/** What cannot be finished is cleared away: the tree stays as it was. */
async function buildOrClear(
  { meter, opened }: Operation,
  replay: ReplayOptions,
): Promise<MadePlan | undefined> {
  try {
    return await meter.run("build", "blocks", () => build(replay));
  } catch (error) {
    closeStaging(opened.tree, replay.rootTime);
    throw error;
  }
}

/** Where the tree will be. */
function target(
  { opened, filter }: Operation,
  { head, lineage: { chain, lines } }: UpdateOrder,
  { plan, entryCount }: MadePlan,
): Omit<Position, "tree"> & { readonly tree: Omit<TreeIdentity, "mtime"> } {
  const last = lines.at(-1);
  if (last === undefined) throw new RangeError("a lineage has sets");
  const ledger = findLedger(head, chain);
  return {
    session: head.session,
    chain,
    set: last.set,
    manifestHash: last.manifestHash,
    lastLineHash: ledger?.lastLineHash ?? "",
    entryCount: entryCount + plan.counts.growth,
    tree: opened.identity,
    filter,
  };
}

async function reportPlan(
  operation: Operation,
  order: UpdateOrder,
  planned: {
    readonly made: MadePlan;
    readonly planning: PlanOptions;
    readonly place: SetPlace;
  },
): Promise<SyncReport> {
  const { made, planning, place } = planned;
  const sets = await plannedSets(made, planning, place);
  const after = operation.position;
  return {
    ...report(operation, order, { made, mended: 0, after }),
    estimate: estimateFetch(sets),
  };
}

function report(
  operation: Operation,
  { head }: UpdateOrder,
  done: {
    readonly made: MadePlan;
    readonly mended: number;
    readonly after: Position | undefined;
  },
): SyncReport {
  const { made, mended, after } = done;
  const { strategy, lines, plan } = made;
  const { written, patched, special, attributes } = plan.counts;
  return {
    ...common(operation, head),
    strategy,
    positionBefore: reportPosition(operation.position),
    positionAfter: reportPosition(after),
    setsFollowed: strategy === "follow" ? lines.length : 0,
    files: { written, patched, special, attributes, deleted: plan.deletes.length, mended },
  };
}

function common({ options, meter, shelf }: Operation, head: Head) {
  return {
    mirror: options.config.name,
    generation: head.generation,
    ...meter.totals(),
    sources: shelf.reports(),
    seconds: meter.seconds,
  };
}

const NO_FILES: FileCounts = {
  written: 0,
  patched: 0,
  special: 0,
  attributes: 0,
  deleted: 0,
  mended: 0,
};
