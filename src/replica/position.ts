/** What the tree holds: the last set wholly replayed into it, and which tree that was. */
import { z } from "zod";
import { formatSetName, parseSetName, sameSet } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { findLedger, type Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { readRecord, writeRecord } from "./state-record.js";

export interface Position {
  readonly session: string;
  readonly chain: number;
  readonly set: SetId;
  /** Which of two sets with the same times. */
  readonly manifestHash: string;
  /** The ledger's last line when the tree was brought here: while it is the last, nothing is new. */
  readonly lastLineHash: string;
  /** Objects in the tree, the root among them. */
  readonly entryCount: number;
  readonly tree: TreeIdentity;
  /** The patterns that chose the part of the tree, and the owner policy, as text: others make another tree. */
  readonly filter: string;
}

/** The root directory's own identity: a tree made anew under the same name is another tree. */
export interface TreeIdentity {
  readonly inode: string;
  readonly birth: string;
  /** The root's own time as the last commit left it, whole seconds. */
  readonly mtime: number;
}

/** A position counts for the tree that it is bound to only. */
export function positionOf(
  { inode, birth }: Omit<TreeIdentity, "mtime">,
  position: Position | undefined,
): Position | undefined {
  const isSame = position?.tree.inode === inode && position.tree.birth === birth;
  return isSame ? position : undefined;
}

/** Whether both name the same set. */
export function samePosition(a: Position | undefined, b: Position | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.session === b.session && a.chain === b.chain && isAtSet(a, b);
}

function isAtSet(a: Position, b: Pick<LedgerLine, "set" | "manifestHash">): boolean {
  return sameSet(a.set, b.set) && a.manifestHash === b.manifestHash;
}

/** The line of `lineage` that `position` stands at, by number, or -1. */
export function findPosition(position: Position, lineage: readonly LedgerLine[]): number {
  return lineage.findIndex((line) => isAtSet(position, line));
}

/** Whether a tree at `position` holds the newest set that `head` names. */
export function isNewest(position: Position | undefined, head: Head): boolean {
  const { session, newest } = head;
  if (position?.session !== session || position.chain !== newest.chain) return false;
  // Sets of equal times can differ: only the ledger tells them apart, and it grows when they do.
  const ledger = findLedger(head, newest.chain);
  return sameSet(position.set, newest.set) && ledger?.lastLineHash === position.lastLineHash;
}

export function readPosition(file: string): Position | undefined {
  const otherwise = "not a position; remove it to compare the whole tree with the newest set";
  return readRecord(file, (json) => positionShape.parse(json), otherwise);
}

export function writePosition(file: string, position: Position): void {
  writeRecord(file, positionJson(position));
}

/** A position as plain JSON, for the state directory, the journal and reports. */
export function positionJson(position: Position): z.input<typeof positionShape> {
  return { ...position, set: formatSetName(position.set) };
}

export const setNameShape = z.string().transform((name, context): SetId => {
  const set = parseSetName(name);
  if (set !== undefined) return set;
  context.addIssue({ code: "custom", message: "not a set's name" });
  return z.NEVER;
});

export const positionShape = z.strictObject({
  session: z.uuid(),
  chain: z.int().nonnegative(),
  set: setNameShape,
  manifestHash: z.string(),
  lastLineHash: z.string(),
  entryCount: z.int().nonnegative(),
  tree: z.strictObject({ inode: z.string(), birth: z.string(), mtime: z.int() }),
  filter: z.string(),
});
