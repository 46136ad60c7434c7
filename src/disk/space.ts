import { statfsSync } from "node:fs";
import { diskFailure } from "./disk-failure.js";

/** What is free for us on the file system of `path`. */
export interface FreeSpace {
  readonly bytes: number;
  /** Infinity where the file system makes inodes as it needs them. */
  readonly inodes: number;
}

/** @throws MirrorError DISK_FAILED */
export function freeSpace(path: string): FreeSpace {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    return { bytes: bavail * bsize, inodes: files === 0 ? Number.POSITIVE_INFINITY : ffree };
  } catch (error) {
    throw diskFailure(error, `cannot ask for the free space at ${path}`);
  }
}
