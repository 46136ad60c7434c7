/** Every failure that the world can cause, as a closed list. `cli` maps each code to an exit status. */
export type ErrorCode =
  // usage and configuration
  | "USAGE"
  | "CONFIG_INVALID"
  | "KEY_INVALID"
  | "UNSUPPORTED"
  // programs and disk
  | "PROGRAM_MISSING"
  | "PROGRAM_FAILED"
  | "DISK_SPACE"
  | "DISK_FAILED"
  | "LOCKED"
  // the master's tree and repository
  | "TREE_MISSING"
  | "TREE_EMPTY"
  | "TREE_SHRUNK"
  | "REPOSITORY_INVALID"
  | "HOSTS_TOO_FEW"
  // sources
  | "SOURCE_INVALID"
  | "SOURCE_UNREACHABLE"
  | "SOURCE_MISSING"
  | "SOURCE_SHORT"
  | "SOURCE_TIMEOUT"
  | "NO_SOURCE"
  | "SHARES_TOO_FEW"
  // published documents
  | "SIGNATURE_INVALID"
  | "HEAD_INVALID"
  | "HEAD_EXPIRED"
  | "HEAD_ROLLBACK"
  | "LEDGER_INVALID"
  | "DOCUMENT_INVALID"
  | "BLOCK_CORRUPT"
  // duplicity's and librsync's formats
  | "FORMAT_INVALID"
  // encrypted repositories
  | "DECRYPTION_FAILED"
  // replay
  | "BASE_MISMATCH"
  | "TREE_DIVERGED"
  | "PATH_REFUSED"
  | "DELETE_GUARD"
  | "GAP"
  // somebody asked us to stop
  | "CANCELLED";

/** A failure of the world: what was expected, what was found, where, and what the operator can do. */
export class MirrorError extends Error {
  readonly code: ErrorCode;
  /** Whoever failed wants to be left alone for so long. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.name = "MirrorError";
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether `error` is a `MirrorError`, of one of `codes` when any are given. */
export function isMirrorError(
  error: unknown,
  ...codes: readonly ErrorCode[]
): error is MirrorError {
  return error instanceof MirrorError && (codes.length === 0 || codes.includes(error.code));
}
