/** How the last verification ended, as the state directory keeps it. */
import { z } from "zod";
import type { StateFiles } from "./state-files.js";
import { readNote, writeRecord } from "./state-record.js";
import { isTreeRight, type VerifyReport } from "./verify-report.js";

const lastVerifyShape = z.strictObject({
  /** Milliseconds since the epoch. */
  at: z.number(),
  outcome: z.union([
    z.strictObject({
      kind: z.literal("done"),
      set: z.string(),
      entries: z.int(),
      /** Paths that were not as the set has them. */
      damaged: z.int(),
      /** Whether all of the tree is right now. */
      isRight: z.boolean(),
    }),
    z.strictObject({ kind: z.literal("failed"), code: z.string(), reason: z.string() }),
  ]),
});

export type LastVerify = z.infer<typeof lastVerifyShape>;

export function doneVerify(at: number, report: VerifyReport): LastVerify {
  const { set, checked, damaged } = report;
  const isRight = isTreeRight(report);
  return { at, outcome: { kind: "done", set, entries: checked.entries, damaged, isRight } };
}

export function writeLastVerify({ lastVerify }: StateFiles, last: LastVerify): void {
  writeRecord(lastVerify, last);
}

/** Undefined, too, where what is stored is no record: the next verification stores another. */
export function readLastVerify({ lastVerify }: StateFiles): LastVerify | undefined {
  return readNote(lastVerify, lastVerifyShape);
}
