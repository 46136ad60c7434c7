import { constants, openSync } from "node:fs";
import { diskFailure } from "./disk-failure.js";

/** Opens a file that is only locked, never read; made if there is none. @throws MirrorError DISK_SPACE, DISK_FAILED */
export function openLockFile(file: string): number {
  try {
    return openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw diskFailure(error, `cannot open ${file}`);
  }
}
