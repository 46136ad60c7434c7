/** Brings a tree back to an older set that the publication still holds, and keeps it there. */
import { removeFile } from "../disk/durable.js";
import { formatSetName } from "../duplicity/names.js";
import type { Head } from "../manifest/head.js";
import { chooseTarget } from "./choose-target.js";
import { bringToNewest, type SyncOptions } from "./cycle.js";
import { type Hold, type HoldReport, readHold, reportHold, writeHold } from "./hold.js";
import { readJournal } from "./journal.js";
import { type Operation, type OperationOptions, operate, withLock } from "./operation.js";
import { type PositionReport, reportPosition, type SyncReport } from "./report.js";
import { updateTree } from "./update.js";

/** What a tree can be brought back to, in order of time. */
export interface SetList {
  readonly mirror: string;
  readonly generation: number;
  readonly session: string;
  readonly position: PositionReport | undefined;
  readonly held?: HoldReport;
  readonly sets: readonly ListedSet[];
}

export interface ListedSet {
  readonly chain: number;
  readonly set: string;
  readonly time: string;
  readonly isPosition: boolean;
  readonly isNewest: boolean;
}

export interface RollbackOptions extends SyncOptions {
  /** A set's name, a time, or `newest`, which lets the tree follow again. */
  readonly to: string;
}

/** @throws MirrorError LOCKED while another process is at the mirror */
export async function listSets(options: OperationOptions): Promise<SetList> {
  return await withLock(options, () => operate(options, describeSets));
}

/**
 * @throws MirrorError LOCKED while another process is at the mirror; USAGE, or GAP when there is no such set; what a
 *   sync throws
 */
export async function rollBack(options: RollbackOptions): Promise<SyncReport> {
  return await withLock(options, () =>
    operate(options, (operation) =>
      options.to === "newest" ? release(operation, options) : goBack(operation, options),
    ),
  );
}

async function describeSets(operation: Operation): Promise<SetList> {
  const head = await operation.poll();
  const sets = await operation.published.readSets(head);
  const hold = readHold(operation.files.hold);
  const position = reportPosition(operation.position);
  const newest = formatSetName(head.newest.set);
  const isOurs = position?.session === head.session;
  return {
    mirror: operation.options.config.name,
    generation: head.generation,
    session: head.session,
    position,
    ...(hold === undefined ? {} : { held: reportOf(operation, head, hold) }),
    sets: sets
      .filter(({ isWithheld }) => !isWithheld)
      .map(({ chain, set }) => {
        const name = formatSetName(set);
        return {
          chain,
          set: name,
          time: new Date(set.time * 1000).toISOString(),
          isPosition: isOurs && position.chain === chain && position.set === name,
          isNewest: chain === head.newest.chain && name === newest,
        };
      }),
  };
}

async function release(operation: Operation, options: SyncOptions): Promise<SyncReport> {
  const head = await operation.poll();
  if (options.dryRun !== true) removeFile(operation.files.hold);
  return await bringToNewest(operation, head, options);
}

/**
 * The hold is made durable when all is staged, before the journal: from then on the tree either stays where it is, or
 * comes to the set, and no cycle moves it on.
 */
async function goBack(operation: Operation, options: RollbackOptions): Promise<SyncReport> {
  const { dryRun, forcePurge, checksum, runtime } = options;
  const head = await operation.poll();
  const { chain, set } = chooseTarget(
    await operation.published.readSets(head),
    options.to,
    ASKED_BY,
  );
  const lineage = await operation.readLineage(head, { chain, set });
  const { files, position, opened } = operation;
  const before = readHold(files.hold);
  const hold = { session: head.session, chain, set, since: runtime.clock.now() };
  const kind = position === undefined && opened.isEmpty ? "fresh" : "rebase";
  const beforeCommit = (): void => writeHold(files.hold, hold);
  const how = { choice: { kind }, dryRun, forcePurge, checksum, beforeCommit } as const;
  try {
    const report = await updateTree(operation, { head, lineage, ...how });
    return dryRun === true ? report : { ...report, held: reportOf(operation, head, hold) };
  } catch (error) {
    // Without a journal it will never be done.
    if (readJournal(files.journal) === undefined) restoreHold(files.hold, before);
    throw error;
  }
}

const ASKED_BY = {
  option: "--to",
  listedBy: "`dupmirror replica rollback` without --to",
};

function restoreHold(file: string, before: Hold | undefined): void {
  if (before === undefined) removeFile(file);
  else writeHold(file, before);
}

function reportOf({ position }: Operation, head: Head, hold: Hold): HoldReport {
  return reportHold(hold, { head, position });
}
