/**
 * The record of a commit under way: with what is staged, all that is needed to bring it to its end.
 * Written once the stage is whole and synced; superseded when the position it leads to is stored.
 */
import { z } from "zod";
import type { TreePath } from "../bytes/tree-path.js";
import { type Position, positionJson, positionShape } from "./position.js";
import { pathShape, readRecord, writeRecord } from "./state-record.js";

export interface Journal {
  /** Where the tree will be. */
  readonly position: Position;
  /** Staged files that appear only after all others, in this order. */
  readonly publishLast: readonly TreePath[];
  readonly attributes: readonly JournalStep[];
  readonly deletes: readonly TreePath[];
  /** Every directory that is made or changed inside, with its final attributes, in index order. */
  readonly directories: readonly JournalStep[];
}

export interface JournalStep {
  readonly path: TreePath;
  readonly mode?: number | undefined;
  readonly mtime?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export function writeJournal(file: string, journal: Journal): void {
  writeRecord(file, { version: 1, ...journal, position: positionJson(journal.position) });
}

export function readJournal(file: string): Journal | undefined {
  const otherwise = "not a journal; remove it to compare the whole tree with the newest set";
  return readRecord(file, (json) => journalShape.parse(json), otherwise);
}

const stepShape = z.strictObject({
  path: pathShape,
  mode: z.int().optional(),
  mtime: z.int().optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
});
const journalShape = z.strictObject({
  version: z.literal(1),
  position: positionShape,
  publishLast: z.array(pathShape),
  attributes: z.array(stepShape),
  deletes: z.array(pathShape),
  directories: z.array(stepShape),
});
