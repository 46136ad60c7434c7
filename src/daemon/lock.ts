import path from "node:path";
import { makeFolder } from "../disk/durable.js";
import { closeFile, openLockFile } from "../disk/file-io.js";
import { MirrorError } from "../errors.js";
import { tryLock } from "../programs/flock.js";

export interface StateLock {
  release(): void;
}

/**
 * Makes the state directory ours until `release` or the end of the process, however it ends.
 * @throws MirrorError LOCKED while another process has it
 */
export async function lockState(
  directory: string,
  options: { readonly signal: AbortSignal },
): Promise<StateLock> {
  makeFolder(directory, 0o700);
  const file = openLockFile(path.join(directory, "lock"));
  let isOurs = false;
  try {
    isOurs = await tryLock(file, options);
  } finally {
    if (!isOurs) closeFile(file);
  }
  if (!isOurs) {
    throw new MirrorError("LOCKED", `${directory} is in use by another dupmirror that runs now`);
  }
  return { release: () => closeFile(file) };
}
