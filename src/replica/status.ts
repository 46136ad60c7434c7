/** What a replica's state directory tells, whether a daemon runs or not. */

import path from "node:path";
import { z } from "zod";
import type { ReplicaMirror } from "../config/replica.js";
import { formatSetName } from "../duplicity/names.js";
import type { Clock } from "../runtime.js";
import { type HoldReport, readHold, reportHold } from "./hold.js";
import { type LastVerify, readLastVerify } from "./last-verify.js";
import { isNewest, readPosition } from "./position.js";
import { type PositionReport, reportPosition } from "./report.js";
import { type StateFiles, stateFiles } from "./state-files.js";
import { readNote, writeRecord } from "./state-record.js";
import { readTrustState } from "./trusted-head.js";
import { peekUnfinished } from "./unfinished.js";
import { readProgress } from "./verify-state.js";

/** The end of the last cycle. */
export interface LastCycle {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly outcome:
    | { readonly kind: "done"; readonly strategy: string }
    | { readonly kind: "failed"; readonly code: string; readonly reason: string };
}

export interface ReplicaStatus {
  readonly mirror: string;
  readonly tree: string;
  readonly position: PositionReport | undefined;
  /** Objects in the tree when it was last brought to a set. */
  readonly entryCount: number | undefined;
  readonly head:
    | {
        readonly generation: number;
        readonly newest: string;
        readonly publishedAt: string;
        readonly expiresAt: string;
        readonly isExpired: boolean;
      }
    | undefined;
  readonly isCurrent: boolean;
  /** While the tree is kept at an older set. */
  readonly held: HoldReport | undefined;
  /** Of a build that was cut off, or is under way: what it has staged of what it will. */
  readonly unfinished:
    | { readonly set: string; readonly stagedBytes: number; readonly totalBytes: number }
    | undefined;
  readonly lastCycle: LastCycle | undefined;
  readonly lastVerify: LastVerify | undefined;
  /** Of a verification that is under way, or was cut off. */
  readonly verify:
    | { readonly startedAt: string; readonly entries: number; readonly damaged: number }
    | undefined;
}

/** Reads only; takes no lock. @throws MirrorError DISK_FAILED when a file of the state is damaged */
export function replicaStatus(mirror: ReplicaMirror, clock: Clock): ReplicaStatus {
  const files = stateFiles(mirror.stateDirectory);
  const position = readPosition(files.position);
  const head = readTrustState(files.trusted).trusted?.head;
  const hold = readHold(files.hold);
  return {
    mirror: mirror.name,
    tree: mirror.tree,
    position: reportPosition(position),
    entryCount: position?.entryCount,
    head:
      head === undefined
        ? undefined
        : {
            generation: head.generation,
            newest: formatSetName(head.newest.set),
            publishedAt: new Date(head.publishedAt).toISOString(),
            expiresAt: new Date(head.expiresAt).toISOString(),
            isExpired: clock.now() >= head.expiresAt,
          },
    isCurrent: head !== undefined && isNewest(position, head),
    held: hold && reportHold(hold, { head, position }),
    unfinished: unfinishedBuild(mirror.tree),
    lastCycle: readLastCycle(mirror.stateDirectory),
    lastVerify: readLastVerify(files),
    verify: verifyUnderWay(files),
  };
}

function unfinishedBuild(tree: string): ReplicaStatus["unfinished"] {
  const found = peekUnfinished(tree);
  if (found === undefined) return undefined;
  const { set, stagedBytes, totalBytes } = found;
  return { set: formatSetName(set), stagedBytes, totalBytes };
}

function verifyUnderWay(files: StateFiles): ReplicaStatus["verify"] {
  const progress = readProgress(files);
  if (progress === undefined) return undefined;
  const { startedAt, entries, damaged } = progress;
  return { startedAt: new Date(startedAt).toISOString(), entries, damaged };
}

export function writeLastCycle(stateDirectory: string, last: LastCycle): void {
  writeRecord(lastCycleFile(stateDirectory), last);
}

/** Undefined, too, where what is stored is no record: the next cycle stores another. */
function readLastCycle(stateDirectory: string): LastCycle | undefined {
  return readNote(lastCycleFile(stateDirectory), lastCycleShape);
}

function lastCycleFile(stateDirectory: string): string {
  return path.join(stateDirectory, "last-cycle.json");
}

const lastCycleShape = z.strictObject({
  at: z.number(),
  outcome: z.union([
    z.strictObject({ kind: z.literal("done"), strategy: z.string() }),
    z.strictObject({ kind: z.literal("failed"), code: z.string(), reason: z.string() }),
  ]),
});
