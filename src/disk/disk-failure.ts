import { MirrorError } from "../errors.js";

/** The system's name of a failure (`ENOENT`), if `error` is one of its failures. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * `error`, met while `doing` something, as a `MirrorError`: DISK_SPACE when no room is left, otherwise DISK_FAILED.
 * What is not a failure of the system comes back as it is.
 */
export function diskFailure(error: unknown, doing: string): unknown {
  const code = systemCode(error);
  if (code === undefined || error instanceof MirrorError) return error;
  if (isOutOfSpace(code)) return outOfSpace(error, doing);
  return new MirrorError("DISK_FAILED", `${doing}: ${describe(error)}`, { cause: error });
}

/** Whether the disk, the quota or the table of inodes is full. */
export function isOutOfSpace(code: string): boolean {
  return code === "ENOSPC" || code === "EDQUOT";
}

/** No room is left: the operator must make some. */
export function outOfSpace(error: unknown, doing: string): MirrorError {
  const message = `${doing}: no space is left on the disk, or the quota is used up`;
  return new MirrorError("DISK_SPACE", message, { cause: error });
}

/** `EACCES: permission denied`, without node's own description of the call. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/, [a-z]+( '.*)?$/s, "");
}
