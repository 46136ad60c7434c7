/** Makes a tree of a published set where nothing is yet. */
import { pathToFileURL } from "node:url";
import { removeFile } from "../disk/durable.js";
import { fileIdentity, listFolder } from "../disk/files.js";
import { formatSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { MirrorError } from "../errors.js";
import type { Head } from "../manifest/head.js";
import { chooseTarget, type PublishedSet } from "./choose-target.js";
import { type Operation, type OperationOptions, operate, withLock } from "./operation.js";
import { withPublished } from "./published.js";
import type { SyncReport } from "./report.js";
import { WORK } from "./staging.js";
import { stateFiles } from "./state-files.js";
import { reportNothing, updateTree } from "./update.js";

export interface RestoreOptions extends OperationOptions {
  /** A set's name or a time; absent, or `newest`: the newest set. */
  readonly at: string | undefined;
}

/**
 * What the tree holds is never deleted: it must be empty, or absent, or what an earlier call that was cut off has put there, as
 * the state directory tells.
 * @throws MirrorError USAGE when the tree holds anything else, or is a source itself; what a sync throws
 */
export async function restoreTree(options: RestoreOptions): Promise<SyncReport> {
  return await withLock(options, () => {
    checkEmpty(options);
    const at = options.at === "newest" ? undefined : options.at;
    return operate(options, (operation) => restore(operation, at));
  });
}

/** The sets that a tree can be made of, in order of time, without a tree. */
export async function listPublishedSets(
  options: OperationOptions,
): Promise<readonly PublishedSet[]> {
  return await withLock(options, () =>
    withPublished(options, async (published) => {
      const sets = await published.readSets(await published.poll());
      return sets.filter(({ isWithheld }) => !isWithheld);
    }),
  );
}

async function restore(operation: Operation, at: string | undefined): Promise<SyncReport> {
  const head = await operation.poll();
  checkNoSource(operation, head);
  if (at === undefined && operation.position !== undefined) return reportNothing(operation, head);
  const target = await choose(operation, head, at);
  if (operation.position !== undefined) return reportFinished(operation, head, target.set);
  const lineage = await operation.readLineage(head, target);
  return await updateTree(operation, { head, lineage, choice: { kind: "fresh" } });
}

/** An empty tree is begun anew, whatever is remembered of it. */
function checkEmpty({ config: { tree, stateDirectory } }: RestoreOptions): void {
  const { journal, position } = stateFiles(stateDirectory);
  const there = listFolder(tree).filter((name) => name !== WORK);
  if (there.length === 0) {
    removeFile(journal);
    removeFile(position);
  } else if ([journal, position].every((file) => fileIdentity(file) === undefined)) {
    throw new MirrorError(
      "USAGE",
      `${tree} is not empty, and a restore deletes nothing: name an empty folder, or one that is not there`,
    );
  }
}

/** Of the words after --hosts the last one is the tree, also when somebody forgot to name it. */
function checkNoSource({ options: { config } }: Operation, { sources }: Head): void {
  const { href } = pathToFileURL(config.tree);
  if (!sources.some(({ url }) => url === href)) return;
  throw new MirrorError("USAGE", `${config.tree} is one of the hosts: name another folder`);
}

async function choose(
  { published }: Operation,
  head: Head,
  at: string | undefined,
): Promise<{ readonly chain: number; readonly set: SetId }> {
  if (at === undefined) return head.newest;
  return chooseTarget(await published.readSets(head), at, {
    option: "--at",
    listedBy: "`dupmirror restore --list`",
  });
}

/** The journal of a call that was cut off was obeyed when the tree was opened. */
function reportFinished(operation: Operation, head: Head, wanted: SetId): SyncReport {
  const { position, options } = operation;
  const held = position === undefined ? "nothing" : formatSetName(position.set);
  if (held === formatSetName(wanted)) return reportNothing(operation, head);
  throw new MirrorError(
    "USAGE",
    `${options.config.tree} holds ${held} from a restore that was cut off, not ${formatSetName(wanted)}: name another folder`,
  );
}
