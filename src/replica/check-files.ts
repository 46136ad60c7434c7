/** Whether files of the tree have the content that a set recorded, by their librsync signatures. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { equalBytes } from "../bytes/digest.js";
import type { TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { closeFile, fileSize, readExactly } from "../disk/file-io.js";
import { SignatureBuilder } from "../librsync/signature.js";
import { digestSignature } from "../manifest/signature-digest.js";
import type { CheckStep } from "./plan.js";

/** The files of `checks` whose content is not what the set recorded. */
export async function checkFiles(
  tree: ConfinedTree,
  checks: readonly CheckStep[],
  signal: AbortSignal,
): Promise<TreePath[]> {
  const damaged: TreePath[] = [];
  for (const { path, signature } of checks) {
    const found = await signFile(tree, path, signature.blockLength, signal);
    if (found === undefined || !equalBytes(found, signature.digest)) damaged.push(path);
  }
  return damaged;
}

/** Files are signed in pieces of this size; between them others get their turn. */
const SIGN_BYTES = 1024 * 1024;

async function signFile(
  tree: ConfinedTree,
  path: TreePath,
  blockLength: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (tree.lstat(path)?.isFile() !== true) return undefined;
  const fd = tree.openFile(path);
  try {
    const builder = new SignatureBuilder(blockLength);
    const sizeBytes = fileSize(fd);
    for (let at = 0; at < sizeBytes; at += SIGN_BYTES) {
      signal.throwIfAborted();
      builder.update(readExactly(fd, at, Math.min(SIGN_BYTES, sizeBytes - at)));
      if (sizeBytes > SIGN_BYTES) await nextTurn();
    }
    return digestSignature(builder.finish()).digest;
  } finally {
    closeFile(fd);
  }
}
