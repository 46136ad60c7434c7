/**
 * The record of a commit under way: with what is staged, all that is needed to bring it to its end.
 * Written once the stage is whole and synced; superseded when the position it leads to is stored.
 */
import { z } from "zod";
import { type TreePath, toTreePath } from "../bytes/tree-path.js";
import { replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { type Position, positionJson, positionShape } from "./position.js";

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
  const json = { version: 1, ...journal, position: positionJson(journal.position) };
  replaceFile(file, new TextEncoder().encode(JSON.stringify(json)));
}

export function readJournal(file: string): Journal | undefined {
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) return undefined;
  try {
    return journalShape.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new MirrorError(
      "DISK_FAILED",
      `${file}: not a journal; remove it to compare the whole tree with the newest set`,
      { cause },
    );
  }
}

const pathShape = z.string().transform((text): TreePath => toTreePath(text));
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
