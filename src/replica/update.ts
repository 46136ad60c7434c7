/** Brings an opened tree to a published set: plan, guards, build, commit. */
import type { TreePath } from "../bytes/tree-path.js";
import { bootId } from "../disk/boot.js";
import { readFileIfPresent } from "../disk/files.js";
import { freeSpace } from "../disk/space.js";
import { isMirrorError } from "../errors.js";
import { findLedger, type Head } from "../manifest/head.js";
import { BuildSite } from "./build-site.js";
import { findDiffering } from "./compare-tree.js";
import { estimateFetch } from "./estimate.js";
import { checkGuards } from "./guards.js";
import { type MadePlan, makePlan, type PlanOptions, type UpdateChoice } from "./make-plan.js";
import type { OpenedSets } from "./open-sets.js";
import type { Lineage, Operation } from "./operation.js";
import type { Position, TreeIdentity } from "./position.js";
import { checkProtected } from "./protected.js";
import { build, commitStage, planJournal, plannedSets } from "./replay.js";
import { type FileCounts, reportPosition, type SyncReport } from "./report.js";
import { NOTHING_REUSED, type Reused, reuseStage } from "./reuse.js";
import type { SetPlace } from "./sets.js";
import { closeStaging, restoreRootTime, rootMtime } from "./staging.js";
import { findUnfinished, type UnfinishedBuild } from "./unfinished.js";

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
  const { opened, options } = operation;
  const site = new BuildSite(opened.tree, options.config.owners);
  if (order.choice.kind === "fresh" && order.dryRun !== true) {
    site.expect(mostEntries(order.lineage));
  }
  try {
    return await update(operation, order, site);
  } finally {
    await site.close();
  }
}

/** What has most of the entries of a tree that is made from nothing. */
function mostEntries({ lines }: Lineage): number {
  return lines.reduce((most, { entryCount }) => Math.max(most, entryCount), 0);
}

async function update(
  operation: Operation,
  order: UpdateOrder,
  site: BuildSite,
): Promise<SyncReport> {
  const { opened, rules, meter, files, options } = operation;
  const { tree } = opened;
  const { config, runtime, signal } = options;
  const { beforeCommit } = order;
  const { tables, place } =
    order.sets ?? operation.openSetsToBuild(order.head, order.lineage.chain);
  const isRead = order.checksum === true && order.choice.kind !== "fresh";
  const differing = isRead
    ? await findDiffering(operation, order.lineage, tables)
    : order.differing;
  const planning = planningOf(operation, { ...order, differing }, tables);
  const made = await meter.run("plan", "tables", () => makePlan(planning));
  const { plan, entryCount } = made;
  checkProtected(tree, plan.replaced, rules.isProtected);
  const planned = { made, planning, place };
  const reused = await reuse(operation, order, planned);
  const free = freeSpace(tree.root);
  checkGuards(config, { plan, reused, entryCount, free, forcePurge: order.forcePurge === true });
  if (order.dryRun === true) return await reportPlan(operation, order, { ...planned, reused });
  const rootTime = operation.position?.tree.mtime ?? rootMtime(tree);
  const to = target(operation, order, made);
  const { session, chain, set, manifestHash } = to;
  const goal = { session, chain, set, manifestHash, purpose: purposeOf(order), boot: bootId() };
  const replay = { ...planned, reused, goal, site, rootTime, runtime, signal };
  const { history, journal } = await keepingStage(operation, rootTime, async () => {
    const history = await meter.run("build", "blocks", () => build(replay));
    void site.close(); // beside the commit; awaited in the end
    const rules = { ...operation.commitRules, beforeCommit };
    const makeJournal = () => planJournal(replay, history, to);
    const journal = await meter.run("commit", undefined, () =>
      commitStage(tree, makeJournal, files, rules),
    );
    return { history, journal };
  });
  const mended = history === undefined ? 0 : history.plan.counts.written;
  const done = report(operation, order, { made, mended, after: journal.position });
  operation.moveTo(journal.position);
  return done;
}

/** A plan and what it is obeyed with. */
interface Planned {
  readonly made: MadePlan;
  readonly planning: PlanOptions;
  readonly place: SetPlace;
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

/** What an earlier build staged of this plan is taken out of it. */
async function reuse(
  { opened, meter, options }: Operation,
  order: UpdateOrder,
  { made, planning, place }: Planned,
): Promise<Reused> {
  const { tree } = opened;
  const found = findUnfinished(tree);
  if (found === undefined) return NOTHING_REUSED;
  const reused = await meter.run("reuse", undefined, () =>
    reuseStage({ ...planning, found, made, place, isForReal: order.dryRun !== true }),
  );
  const { files, bytes } = reused;
  options.runtime.log.info("build.resumed", { tree: tree.root, files, bytes });
  return reused;
}

function purposeOf({ choice, beforeCommit }: UpdateOrder): UnfinishedBuild["purpose"] {
  if (choice.kind === "repair") return "repair";
  return beforeCommit === undefined ? "sync" : "rollback";
}

/** When the world stops `work`, what it has staged stays for the next cycle; what cannot be right goes. */
async function keepingStage<T>(
  { opened, files, options }: Operation,
  rootTime: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // A journal that stands there needs what is staged.
    if (readFileIfPresent(files.journal) !== undefined) throw error;
    const hasStaged = (findUnfinished(opened.tree)?.stagedBytes ?? 0) > 0;
    const isPassing = options.signal.aborted || isMirrorError(error, ...PASSING);
    if (hasStaged && isPassing) restoreRootTime(opened.tree, rootTime);
    else closeStaging(opened.tree, rootTime);
    throw error;
  }
}

/** What another try may not meet again. */
const PASSING = [
  "NO_SOURCE",
  "SHARES_TOO_FEW",
  "BLOCK_CORRUPT",
  "DISK_SPACE",
  "PROGRAM_FAILED",
  "CANCELLED",
] as const;

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
  { made, planning, place, reused }: Planned & { readonly reused: Reused },
): Promise<SyncReport> {
  const sets = await plannedSets(made, planning, place, reused.begun);
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
