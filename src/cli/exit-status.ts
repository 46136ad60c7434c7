/** What the exit status says to scripts; the same list stands in every command's help. */
import type { ErrorCode } from "../errors.js";

export const DONE = 0;
export const FAILED = 1;
export const USAGE = 2;
const PARTIAL = 3;

const INTERRUPTED = 130;
const TERMINATED = 143;

export const EXIT_STATUS_HELP = `
Exit status:
  0    done, or nothing to do
  1    failure; of verify, too, that a tree is not as its set has it; of audit, that damage is left
  2    wrong usage or configuration
  3    partial: the tree is consistent at its old position
  4    no usable source, or fewer shares than needed
  5    content or signature refused (rollback and expiry too), or not to be decrypted
  6    the delete guard stopped the cycle
  7    locked by another dupmirror that runs now
  8    disk space
  9    a gap that cannot be bridged
  130  SIGINT, 143 SIGTERM`;

export function exitStatusOf(code: ErrorCode): number {
  return STATUSES[code];
}

export function stopStatusOf(signal: "SIGINT" | "SIGTERM"): number {
  return signal === "SIGINT" ? INTERRUPTED : TERMINATED;
}

/** For a code that came as text, from a running daemon. */
export function exitStatusOfText(code: string): number {
  return new Map<string, number>(Object.entries(STATUSES)).get(code) ?? FAILED;
}

const NO_SOURCE = 4;
const REFUSED = 5;
const GUARDED = 6;
const LOCKED = 7;
const NO_SPACE = 8;
const GAP = 9;

const STATUSES: Readonly<Record<ErrorCode, number>> = {
  USAGE,
  CONFIG_INVALID: USAGE,
  KEY_INVALID: USAGE,
  UNSUPPORTED: USAGE,
  PROGRAM_MISSING: FAILED,
  PROGRAM_FAILED: FAILED,
  DISK_SPACE: NO_SPACE,
  DISK_FAILED: FAILED,
  LOCKED,
  TREE_MISSING: FAILED,
  TREE_EMPTY: FAILED,
  TREE_SHRUNK: FAILED,
  REPOSITORY_INVALID: FAILED,
  HOSTS_TOO_FEW: FAILED,
  SOURCE_INVALID: NO_SOURCE,
  SOURCE_UNREACHABLE: NO_SOURCE,
  SOURCE_MISSING: NO_SOURCE,
  SOURCE_SHORT: NO_SOURCE,
  SOURCE_TIMEOUT: NO_SOURCE,
  NO_SOURCE,
  SHARES_TOO_FEW: NO_SOURCE,
  SIGNATURE_INVALID: REFUSED,
  HEAD_INVALID: REFUSED,
  HEAD_EXPIRED: REFUSED,
  HEAD_ROLLBACK: REFUSED,
  LEDGER_INVALID: REFUSED,
  DOCUMENT_INVALID: REFUSED,
  BLOCK_CORRUPT: REFUSED,
  FORMAT_INVALID: REFUSED,
  DECRYPTION_FAILED: REFUSED,
  BASE_MISMATCH: PARTIAL,
  TREE_DIVERGED: PARTIAL,
  PATH_REFUSED: REFUSED,
  DELETE_GUARD: GUARDED,
  GAP,
  CANCELLED: INTERRUPTED,
};
