/** Files that strangers ask for by name: regular files below one folder, wherever symlinks lead. */
import { realpathSync, statSync } from "node:fs";
import { systemCode } from "./disk-failure.js";
import type { FileIdentity } from "./files.js";

/** Undefined when `file` is no regular file, or does not really lie below `folder`. */
export function servedFile(folder: string, file: string): FileIdentity | undefined {
  try {
    const root = realpathSync.native(folder);
    if (!realpathSync.native(file).startsWith(`${root}/`)) return undefined;
    const stat = statSync(file, { bigint: true });
    if (!stat.isFile()) return undefined;
    return {
      sizeBytes: Number(stat.size),
      mtimeNs: stat.mtimeNs,
      inode: stat.ino,
      birthNs: stat.birthtimeNs,
    };
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined; // whatever the disk says, there is nothing to serve
  }
}

/** Whether there is a folder of this name. */
export function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
