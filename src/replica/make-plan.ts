/** Reads what a plan is made from, and makes it. */
import { compareTreePaths, type TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { isMirrorError } from "../errors.js";
import type { LedgerLine } from "../manifest/ledger.js";
import type { Log } from "../runtime.js";
import type { Choice } from "./choose.js";
import { collapseSets } from "./collapse.js";
import { lookUp, scanLocal } from "./local-tree.js";
import { type PageChoice, pagesHolding } from "./page-choice.js";
import {
  type CompareRules,
  type PlanRules,
  planFollow,
  planHistory,
  planRepair,
  planWhole,
  type TreePlan,
} from "./plan.js";
import type { Position } from "./position.js";
import type { Strategy } from "./report.js";
import { entriesOf } from "./sets.js";
import type { TableStore } from "./table-store.js";
import { bySignature, bySizeAndTime } from "./versions.js";

/** What an update does: a strategy of a cycle, or only what is wrong at these paths. */
export type UpdateChoice =
  | Exclude<Choice, { kind: "none" }>
  | { readonly kind: "repair"; readonly paths: ReadonlySet<TreePath> };

export interface PlanOptions {
  readonly choice: UpdateChoice;
  /** Files whose content was read and is not the target's; when it is given, size and time say nothing. */
  readonly differing?: ReadonlySet<TreePath> | undefined;
  readonly lineage: readonly LedgerLine[];
  readonly position: Position | undefined;
  readonly tree: ConfinedTree;
  readonly tables: TableStore;
  readonly rules: PlanRules;
  /** The pages of contents that the replica's part of the tree can be in. */
  readonly pages: PageChoice;
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
  if (choice.kind === "repair") return await repair(options, choice.paths);
  return await whole(options, choice.kind === "fresh" ? "fresh" : "rebase");
}

/** The plan for files that are made from their history alone. */
export async function makeHistoryPlan(
  options: PlanOptions,
  wanted: ReadonlySet<TreePath>,
): Promise<MadePlan> {
  const { lineage, tables, rules } = options;
  await prepareContents(options, lineage, pagesHolding(wanted));
  const collapsed = collapseSets(lineage.map((line) => entriesOf(line, tables)));
  const plan = planHistory(lineage.length, collapsed, wanted, rules);
  return { strategy: "follow", lines: lineage, plan, entryCount: 0 };
}

async function follow(options: PlanOptions, first: number, position: Position): Promise<MadePlan> {
  const { lineage, tables, tree, rules } = options;
  const lines = lineage.slice(first);
  await prepareContents(options, lines, options.pages);
  const collapsed = collapseSets(lines.map((line) => entriesOf(line, tables)));
  const plan = planFollow(lines.length, collapsed, (path) => lookUp(tree, path), rules);
  return { strategy: "follow", lines, plan, entryCount: position.entryCount };
}

async function whole(options: PlanOptions, strategy: "fresh" | "rebase"): Promise<MadePlan> {
  const { lineage, tables, tree } = options;
  await prepareContents(options, lineage, options.pages);
  const collapsed = collapseSets(lineage.map((line) => entriesOf(line, tables)));
  let entryCount = 0;
  const scan = function* () {
    if (strategy === "fresh") return;
    for (const found of scanLocal(tree)) {
      entryCount++;
      yield found;
    }
  };
  const plan = planWhole(lineage.length, collapsed, scan(), compareRules(options));
  return { strategy, lines: lineage, plan, entryCount };
}

async function repair(options: PlanOptions, paths: ReadonlySet<TreePath>): Promise<MadePlan> {
  const { lineage, tables, tree, position } = options;
  await prepareContents(options, lineage, pagesHolding(paths));
  const collapsed = collapseSets(lineage.map((line) => entriesOf(line, tables)));
  const damaged = { paths, lookup: (path: TreePath) => lookUp(tree, path) };
  const plan = planRepair(lineage.length, collapsed, damaged, compareRules(options));
  // The position counts what shall be there: now the tree has as much more or less as repair will change.
  const entryCount = (position?.entryCount ?? 0) - plan.counts.growth;
  return { strategy: "repair", lines: lineage, plan, entryCount };
}

function compareRules({ rules, differing }: PlanOptions): CompareRules {
  const holds = differing === undefined ? bySizeAndTime : bySignature(differing);
  return { ...rules, compare: compareTreePaths, holds };
}

async function prepareContents(
  { tables, signal }: PlanOptions,
  lines: readonly LedgerLine[],
  isWanted: PageChoice,
): Promise<void> {
  for (const line of lines) await tables.prepare(line, "contents", isWanted, signal);
}
