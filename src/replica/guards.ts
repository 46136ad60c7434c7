/** What must hold before anything is changed. */
import type { ReplicaMirror } from "../config/replica.js";
import { MirrorError } from "../errors.js";
import type { TreePlan } from "./plan.js";
import type { Reused } from "./reuse.js";

export interface GuardFacts {
  readonly plan: TreePlan;
  readonly reused: Reused;
  /** Objects in the tree before the cycle. */
  readonly entryCount: number;
  readonly free: { readonly bytes: number; readonly inodes: number };
  readonly forcePurge: boolean;
}

/** @throws MirrorError DELETE_GUARD, DISK_SPACE */
export function checkGuards(mirror: ReplicaMirror, facts: GuardFacts): void {
  if (!facts.forcePurge) checkDeletes(mirror, facts);
  checkSpace(mirror, facts);
}

/** Some file systems need room to breathe, and staging needs folders. */
const SPARE_BYTES = 16 * 1024 * 1024;
const SPARE_INODES = 16;

function checkDeletes(mirror: ReplicaMirror, { plan, entryCount }: GuardFacts): void {
  const { maxFiles, maxPercent } = mirror.delete;
  const deletes = plan.deletes.length;
  const percent = (100 * deletes) / Math.max(1, entryCount);
  if (deletes > maxFiles) {
    refuse(mirror, `${deletes} objects, delete.maxFiles is ${maxFiles}`);
  }
  if (deletes > SMALL_DELETE && percent > maxPercent) {
    const shown = `${deletes} of ${entryCount} objects (${percent.toFixed(1)} %)`;
    refuse(mirror, `${shown}, delete.maxPercent is ${maxPercent}`);
  }
}

/** A share means nothing in a tree of a few files. */
const SMALL_DELETE = 100;

function refuse(mirror: ReplicaMirror, what: string): never {
  throw new MirrorError(
    "DELETE_GUARD",
    `${mirror.tree}: this update deletes ${what}; nothing was changed. ` +
      "If that is right, run once with --force-purge or raise the limit",
  );
}

/** What is staged already needs no room; what is useless there makes some. */
function checkSpace(mirror: ReplicaMirror, { plan, reused, free }: GuardFacts): void {
  const { written, patched, special } = plan.counts;
  const inodes = written + patched + special - reused.files;
  const stagedBytes = plan.counts.stagedBytes - reused.bytes;
  const freeBytes = free.bytes + reused.uselessBytes;
  if (stagedBytes + SPARE_BYTES > freeBytes && stagedBytes > 0) {
    throw new MirrorError(
      "DISK_SPACE",
      `${mirror.tree}: this update stages ${stagedBytes} bytes, ${freeBytes} are free`,
    );
  }
  if (inodes + SPARE_INODES > free.inodes && inodes > 0) {
    throw new MirrorError(
      "DISK_SPACE",
      `${mirror.tree}: this update makes ${inodes} objects, ${free.inodes} inodes are free`,
    );
  }
}
