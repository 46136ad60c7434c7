/**
 * That the tree was brought back to an older set and shall stay there. While the record stands no cycle moves the tree,
 * whatever the head says; only another rollback does, or its end.
 */
import { z } from "zod";
import { formatSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { type Head, retainsChain } from "../manifest/head.js";
import { type Position, setNameShape } from "./position.js";
import { readRecord, writeRecord } from "./state-record.js";

export interface Hold {
  readonly session: string;
  readonly chain: number;
  readonly set: SetId;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface HoldReport {
  readonly session: string;
  readonly chain: number;
  readonly set: string;
  readonly since: string;
  /** Whether the tree is at the set: a rollback that was cut off early left it where it was. */
  readonly isReached: boolean;
  /** Whether the publication still holds the set's chain: without it the tree cannot be mended. */
  readonly isRetained: boolean;
}

/** @throws MirrorError DISK_FAILED: a record that cannot be read must not let the tree go */
export function readHold(file: string): Hold | undefined {
  const otherwise = "not the record of a rollback; remove it to let the tree follow the newest set";
  return readRecord(file, (json) => holdShape.parse(json), otherwise);
}

export function writeHold(file: string, hold: Hold): void {
  const json: z.input<typeof holdShape> = { version: 1, ...hold, set: formatSetName(hold.set) };
  writeRecord(file, json);
}

export function reportHold(
  { session, chain, set, since }: Hold,
  { head, position }: { readonly head: Head | undefined; readonly position: Position | undefined },
): HoldReport {
  const name = formatSetName(set);
  const isRetained = head !== undefined && retainsChain(head, { session, chain });
  const isReached =
    position?.session === session &&
    position.chain === chain &&
    formatSetName(position.set) === name;
  return { session, chain, set: name, since: new Date(since).toISOString(), isReached, isRetained };
}

const holdShape = z.strictObject({
  version: z.literal(1),
  session: z.uuid(),
  chain: z.int().nonnegative(),
  set: setNameShape,
  since: z.int(),
});
