/** Reads what a plan is made from, and makes it. */
import { compareTreePaths, type TreePath, toTreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { isMirrorError } from "../errors.js";
import type { LedgerLine, PageReference } from "../manifest/ledger.js";
import type { Log } from "../runtime.js";
import type { Choice } from "./choose.js";
import { collapseSets } from "./collapse.js";
import { lookUp, scanLocal } from "./local-tree.js";
import { type PlanRules, planFollow, planHistory, planWhole, type TreePlan } from "./plan.js";
import type { Position } from "./position.js";
import type { Strategy } from "./report.js";
import { entriesOf } from "./sets.js";
import type { TableStore } from "./table-store.js";

export interface PlanOptions {
  readonly choice: Exclude<Choice, { kind: "none" }>;
  readonly lineage: readonly LedgerLine[];
  readonly position: Position | undefined;
  readonly tree: ConfinedTree;
  readonly tables: TableStore;
  readonly rules: PlanRules;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A plan with the sets that it reads. */
export interface MadePlan {
  readonly strategy: Strategy;
  readonly lines: readonly LedgerLine[];
  readonly plan: TreePlan;
  /** Objects in the tree before. */
  readonly entryCount: number;
}

/** A tree that turns out not to be where its position says is compared as a whole. */
export async function makePlan(options: PlanOptions): Promise<MadePlan> {
  const { choice, position, log } = options;
  if (choice.kind === "follow" && position !== undefined) {
    try {
      return await follow(options, choice.first, position);
    } catch (error) {
      if (!isMirrorError(error, "TREE_DIVERGED")) throw error;
      log.warn("tree.diverged", { reason: error.message });
      return await whole(options, "rebase");
    }
  }
  return await whole(options, choice.kind === "fresh" ? "fresh" : "rebase");
}

/** The plan for files that are made from their history alone. */
export async function makeHistoryPlan(
  options: PlanOptions,
  wanted: ReadonlySet<TreePath>,
): Promise<MadePlan> {
  const { lineage, tables, rules } = options;
  await prepareContents(options, lineage, (page, next) => mayHold(page, next, wanted));
  const collapsed = collapseSets(lineage.map((line) => entriesOf(line, tables)));
  const plan = planHistory(lineage.length, collapsed, wanted, rules);
  return { strategy: "follow", lines: lineage, plan, entryCount: 0 };
}

async function follow(options: PlanOptions, first: number, position: Position): Promise<MadePlan> {
  const { lineage, tables, tree, rules } = options;
  const lines = lineage.slice(first);
  await prepareContents(options, lines, () => true);
  const collapsed = collapseSets(lines.map((line) => entriesOf(line, tables)));
  const plan = planFollow(lines.length, collapsed, (path) => lookUp(tree, path), rules);
  return { strategy: "follow", lines, plan, entryCount: position.entryCount };
}

async function whole(options: PlanOptions, strategy: "fresh" | "rebase"): Promise<MadePlan> {
  const { lineage, tables, tree, rules } = options;
  await prepareContents(options, lineage, () => true);
  const collapsed = collapseSets(lineage.map((line) => entriesOf(line, tables)));
  let entryCount = 0;
  const scan = function* () {
    if (strategy === "fresh") return;
    for (const found of scanLocal(tree)) {
      entryCount++;
      yield found;
    }
  };
  const plan = planWhole(lineage.length, collapsed, scan(), {
    ...rules,
    compare: compareTreePaths,
  });
  return { strategy, lines: lineage, plan, entryCount };
}

async function prepareContents(
  { tables, signal }: PlanOptions,
  lines: readonly LedgerLine[],
  isWanted: (page: PageReference, next: PageReference | undefined) => boolean,
): Promise<void> {
  for (const line of lines) await tables.prepare(line, "contents", isWanted, signal);
}

/** Whether one of `wanted` may lie between the first entry of a page and that of the next. */
function mayHold(
  page: PageReference,
  next: PageReference | undefined,
  wanted: ReadonlySet<TreePath>,
): boolean {
  const first = toTreePath(page.first);
  const end = next === undefined ? undefined : toTreePath(next.first);
  for (const path of wanted) {
    if (compareTreePaths(path, first) < 0) continue;
    if (end === undefined || compareTreePaths(path, end) < 0) return true;
  }
  return false;
}
