/** What a verification found and mended, in the words and numbers that `--json` prints. */
import { displayPath } from "../bytes/tree-path.js";
import { formatSetName } from "../duplicity/names.js";
import type { FindingKind } from "./compare.js";
import type { Operation } from "./operation.js";
import type { Position } from "./position.js";
import type { FileCounts, SyncReport } from "./report.js";
import type { VerifyProgress } from "./verify-state.js";

export interface VerifyReport {
  readonly mirror: string;
  /** The set that the tree was compared with. */
  readonly set: string;
  /** Whether this went on where an earlier run was cut off. */
  readonly isResumed: boolean;
  readonly checked: { readonly entries: number; readonly bytes: number };
  /** How many findings there are of each kind; a path may have several. */
  readonly counts: Readonly<Record<FindingKind, number>>;
  /** Paths with a finding. */
  readonly damaged: number;
  /** The first of all findings. */
  readonly findings: readonly { readonly kind: FindingKind; readonly path: string }[];
  /** What repair did; absent when nothing was asked or nothing had to be done. */
  readonly repaired?: FileCounts;
  readonly bytes: SyncReport["bytes"];
  readonly requests: SyncReport["requests"];
  readonly sources: SyncReport["sources"];
  readonly seconds: SyncReport["seconds"];
}

/** Whether the tree is right now. */
export function isTreeRight({ damaged, repaired }: VerifyReport): boolean {
  return damaged === 0 || repaired !== undefined;
}

export function verifyReport(
  { options, meter, shelf }: Operation,
  of: {
    readonly position: Position;
    readonly progress: VerifyProgress;
    readonly isResumed: boolean;
    readonly repaired: FileCounts | undefined;
  },
): VerifyReport {
  const { position, progress, isResumed, repaired } = of;
  const { entries, bytes, counts, damaged, shown } = progress;
  return {
    mirror: options.config.name,
    set: formatSetName(position.set),
    isResumed,
    checked: { entries, bytes },
    counts,
    damaged,
    findings: shown.map(({ kind, path }) => ({ kind, path: displayPath(path) })),
    ...(repaired === undefined ? {} : { repaired }),
    ...meter.totals(),
    sources: shelf.reports(),
    seconds: meter.seconds,
  };
}
