/** Obeys a plan: builds what is new, commits it, moves the position. */
import { displayPath, joinPaths, ROOT, type TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { removeFile } from "../disk/durable.js";
import { MirrorError } from "../errors.js";
import type { SpecialObject } from "../manifest/contents.js";
import { makeDevice, makeFifo } from "../programs/special-files.js";
import { syncFileSystem } from "../programs/sync.js";
import type { Runtime } from "../runtime.js";
import { buildStage } from "./build.js";
import type { BuildSite } from "./build-site.js";
import { checkFiles } from "./check-files.js";
import { commit } from "./commit.js";
import { type Journal, writeJournal } from "./journal.js";
import { lookUp } from "./local-tree.js";
import { type MadePlan, makeHistoryPlan, type PlanOptions } from "./make-plan.js";
import type { LateStep } from "./plan.js";
import { type Position, type TreeIdentity, writePosition } from "./position.js";
import { isSigned, NOTHING_REUSED, type Reused, skipStaged } from "./reuse.js";
import { plannedSet, type SetPlace } from "./sets.js";
import { openStaging, STAGE } from "./staging.js";
import type { StateFiles } from "./state-files.js";
import { journalStep, touchedDirectories } from "./touched.js";
import { BuildRecord, type UnfinishedBuild } from "./unfinished.js";
import type { BegunFile, PlannedSet } from "./work.js";

export interface ReplayOptions {
  readonly made: MadePlan;
  /** What `made` leaves out, as an earlier build has staged it. */
  readonly reused: Reused;
  readonly goal: Omit<UnfinishedBuild, "stagedBytes" | "totalBytes">;
  readonly planning: PlanOptions;
  readonly place: SetPlace;
  readonly site: BuildSite;
  /** The time of the tree's root before the cycle, whole seconds. */
  readonly rootTime: number;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/** Stages all that the plan asks for; returns the files that had to be made from their history. */
export async function build(options: ReplayOptions): Promise<MadePlan | undefined> {
  const { made, planning, reused, goal, site, runtime } = options;
  const { tree } = planning;
  openStaging(tree, { isKept: reused !== NOTHING_REUSED });
  const stagedBytes = reused.bytes;
  const totalBytes = made.plan.counts.stagedBytes;
  const record = new BuildRecord(tree, { ...goal, stagedBytes, totalBytes }, runtime.clock);
  try {
    return await stageAll(options, (bytes) => record.mark(stagedBytes + bytes));
  } catch (error) {
    await site.close();
    throw error;
  } finally {
    record.close();
  }
}

async function stageAll(
  options: ReplayOptions,
  onStaged: (bytes: number) => void,
): Promise<MadePlan | undefined> {
  const { made, planning, reused, runtime, signal } = options;
  const { tree } = planning;
  const damaged = new Set<TreePath>([
    ...made.plan.damaged,
    ...(await checkFiles(tree, made.plan.checks, signal)),
    ...(await stage(options, made, onStaged)),
    ...(await checkBegun(options)),
  ]);
  for (const path of reused.spare) {
    if (!damaged.has(path)) tree.unlink(joinPaths(STAGE, path));
  }
  if (damaged.size === 0) return undefined;
  for (const path of damaged) runtime.log.warn("file.drifted", { path });
  const history = await makeHistoryPlan(planning, damaged);
  skipStaged(history, planning.tables, reused.spare);
  const beyond = [...history.plan.damaged, ...(await stage(options, history, onStaged))];
  if (beyond.length === 0) return history;
  throw new MirrorError(
    "DOCUMENT_INVALID",
    `${beyond.length} files cannot be made from the published history, ${displayPath(beyond[0] ?? "")} among them; ` +
      "the master's chain is damaged there: it needs a new full set",
  );
}

/** Of the file that was gone on with, nobody has seen all the bytes yet. */
async function checkBegun({ planning, reused, signal }: ReplayOptions): Promise<TreePath[]> {
  const { tree } = planning;
  if (reused.begun === undefined) return [];
  const { path, signature } = reused.begun;
  if (await isSigned(tree, path, signature, signal)) return [];
  tree.unlink(joinPaths(STAGE, path));
  return [path];
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
  makeJournal: () => Journal,
  files: StateFiles,
  options: CommitRules & {
    readonly beforeCommit: (() => void) | undefined;
  },
): Promise<Journal> {
  const journal = await makeWhileSyncing(tree, makeJournal, options);
  options.beforeCommit?.();
  writeJournal(files.journal, journal);
  await obeyJournal(tree, journal, files, options);
  return journal;
}

/** The journal takes some time, and the disk is busy meanwhile; whatever becomes of it, no sync is under way afterwards. */
async function makeWhileSyncing(
  tree: ConfinedTree,
  makeJournal: () => Journal,
  options: CommitRules,
): Promise<Journal> {
  const syncing = syncFileSystem(tree.root, options);
  try {
    return makeJournal();
  } finally {
    await syncing;
  }
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
  begun?: BegunFile,
): Promise<PlannedSet[]> {
  const sets: PlannedSet[] = [];
  for (const [number, line] of lines.entries()) {
    const uses = plan.uses[number];
    if (uses === undefined || uses.isEmpty) continue;
    await tables.prepare(line, "volumes", () => true, signal);
    const set = plannedSet({ line, uses, tables, place });
    sets.push(begun?.set === number ? { ...set, begun } : set);
  }
  return sets;
}

async function stage(
  options: ReplayOptions,
  made: MadePlan,
  onStaged: (bytes: number) => void,
): Promise<readonly TreePath[]> {
  const { planning, place, reused, site, runtime, signal } = options;
  const { tree } = planning;
  const begun = made === options.made ? reused.begun : undefined;
  return await buildStage({
    tree,
    sets: await plannedSets(made, planning, place, begun),
    counts: made.plan.counts,
    site,
    makeSpecial: (path, object) => makeSpecial(tree, path, object, signal),
    log: runtime.log,
    onStaged,
    progress: (phase, done, total) => runtime.progress(phase, reused.bytes + done, total),
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
