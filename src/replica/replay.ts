/** Obeys a plan: builds what is new, commits it, moves the position. */
import { displayPath, ROOT, type TreePath } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import type { ConfinedTree } from "../disk/confined.js";
import { removeFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import type { SpecialObject } from "../manifest/contents.js";
import { makeDevice, makeFifo } from "../programs/special-files.js";
import { syncFileSystem } from "../programs/sync.js";
import type { Runtime } from "../runtime.js";
import { buildStage } from "./build.js";
import { checkFiles } from "./check-files.js";
import { commit } from "./commit.js";
import { type Journal, writeJournal } from "./journal.js";
import { lookUp } from "./local-tree.js";
import { type MadePlan, makeHistoryPlan, type PlanOptions } from "./make-plan.js";
import type { LateStep } from "./plan.js";
import { type Position, type TreeIdentity, writePosition } from "./position.js";
import { plannedSet, type SetPlace } from "./sets.js";
import { closeStaging, openStaging } from "./staging.js";
import type { StateFiles } from "./state-files.js";
import { journalStep, touchedDirectories } from "./touched.js";
import type { PlannedSet } from "./work.js";

export interface ReplayOptions {
  readonly made: MadePlan;
  readonly planning: PlanOptions;
  readonly place: SetPlace;
  readonly owners: ReplicaMirror["owners"];
  /** The time of the tree's root before the cycle, whole seconds. */
  readonly rootTime: number;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/** Stages all that the plan asks for; returns the files that had to be made from their history. */
export async function build(options: ReplayOptions): Promise<MadePlan | undefined> {
  const { made, planning, runtime, signal } = options;
  openStaging(planning.tree);
  const damaged = new Set<TreePath>([
    ...made.plan.damaged,
    ...(await checkFiles(planning.tree, made.plan.checks, signal)),
    ...(await stage(options, made)),
  ]);
  if (damaged.size === 0) return undefined;
  for (const path of damaged) runtime.log.warn("file.drifted", { path });
  const history = await makeHistoryPlan(planning, damaged);
  const beyond = [...history.plan.damaged, ...(await stage(options, history))];
  if (beyond.length === 0) return history;
  throw new MirrorError(
    "DOCUMENT_INVALID",
    `${beyond.length} files cannot be made from the published history, ${displayPath(beyond[0] ?? "")} among them; ` +
      "the master's chain is damaged there: it needs a new full set",
  );
}

/** What a commit needs to know besides the stage. */
export function planJournal(
  { made, planning, rootTime }: ReplayOptions,
  history: MadePlan | undefined,
  position: Omit<Position, "tree"> & { readonly tree: Omit<TreeIdentity, "mtime"> },
): Journal {
  const { tree, rules } = planning;
  const plans = history === undefined ? [made.plan] : [made.plan, history.plan];
  const directories = touchedDirectories(
    made.plan.directories,
    plans.flatMap(({ touched }) => [...touched]),
    (path) => lookUp(tree, path),
    rules,
  );
  // Our working folder has disturbed the root's time: what it was, or shall be, is known from before.
  const rootEntry = made.plan.directories.find(({ path }) => path === ROOT);
  const mtime = rootEntry?.attributes.mtime ?? rootTime;
  const root =
    rootEntry === undefined
      ? { path: ROOT, mode: lookUp(tree, ROOT)?.mode }
      : journalStep(rootEntry, rules);
  return {
    position: { ...position, tree: { ...position.tree, mtime } },
    publishLast: inOrderOfAppearance(plans.flatMap(({ publishLast }) => publishLast)),
    attributes: made.plan.attributes.map((step) => journalStep(step, rules)),
    deletes: made.plan.deletes,
    directories: [{ ...root, mtime }, ...directories.filter(({ path }) => path !== ROOT)],
  };
}

function inOrderOfAppearance(steps: readonly LateStep[]): TreePath[] {
  return steps.toSorted((a, b) => a.rank - b.rank).map(({ path }) => path);
}

/** Makes the stage and the journal durable, then brings the tree to where the journal says. */
export async function commitStage(
  tree: ConfinedTree,
  journal: Journal,
  files: StateFiles,
  options: CommitRules & {
    readonly rootTime: number;
    readonly beforeCommit: (() => void) | undefined;
  },
): Promise<void> {
  try {
    await syncFileSystem(tree.root, options);
    options.beforeCommit?.();
    writeJournal(files.journal, journal);
  } catch (error) {
    // A journal that stands there after all needs what is staged.
    if (readFileIfPresent(files.journal) === undefined) closeStaging(tree, options.rootTime);
    throw error;
  }
  await obeyJournal(tree, journal, files, options);
}

export interface CommitRules {
  readonly isProtected: (path: TreePath) => boolean;
  readonly signal: AbortSignal;
}

/** A commit from its beginning or from wherever it was cut off. Not to be stopped half-way: it is short. */
export async function obeyJournal(
  tree: ConfinedTree,
  journal: Journal,
  files: StateFiles,
  { isProtected, signal }: CommitRules,
): Promise<void> {
  const sync = () => syncFileSystem(tree.root, { signal });
  await commit({ tree, journal, sync, isProtected });
  writePosition(files.position, journal.position);
  removeFile(files.journal);
}

/** The sets of which a plan needs something, with the tables of their volumes at hand. */
export async function plannedSets(
  { lines, plan }: MadePlan,
  { tables, signal }: PlanOptions,
  place: SetPlace,
): Promise<PlannedSet[]> {
  const sets: PlannedSet[] = [];
  for (const [number, line] of lines.entries()) {
    const uses = plan.uses[number];
    if (uses === undefined || uses.isEmpty) continue;
    await tables.prepare(line, "volumes", () => true, signal);
    sets.push(plannedSet({ line, uses, tables, place }));
  }
  return sets;
}

async function stage(
  { planning, place, owners, runtime, signal }: ReplayOptions,
  made: MadePlan,
): Promise<readonly TreePath[]> {
  const { tree } = planning;
  return await buildStage({
    tree,
    sets: await plannedSets(made, planning, place),
    counts: made.plan.counts,
    owners,
    makeSpecial: (path, object) => makeSpecial(tree, path, object, signal),
    log: runtime.log,
    progress: runtime.progress,
    signal,
  });
}

async function makeSpecial(
  tree: ConfinedTree,
  path: TreePath,
  object: SpecialObject,
  signal: AbortSignal,
): Promise<void> {
  await tree.withHostPath(path, async (hostPath) => {
    if (object.type === "fifo") {
      await makeFifo(hostPath, 0o600, { signal });
    } else if (object.type === "characterDevice" || object.type === "blockDevice") {
      await makeDevice(hostPath, { ...object, mode: 0o600 }, { signal });
    }
  });
}
