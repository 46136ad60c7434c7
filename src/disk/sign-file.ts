import { setImmediate as nextTurn } from "node:timers/promises";
import type { TreePath } from "../bytes/tree-path.js";
import { SignatureBuilder } from "../librsync/signature.js";
import { digestSignature } from "../manifest/signature-digest.js";
import type { ConfinedTree } from "./confined.js";
import { closeFile, fileSize, readExactly } from "./file-io.js";

/** The digest of a file's librsync signature. @throws MirrorError TREE_DIVERGED when no regular file stands there */
export async function signFile(
  tree: ConfinedTree,
  path: TreePath,
  blockLength: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const fd = tree.openFile(path);
  try {
    const builder = new SignatureBuilder(blockLength);
    const sizeBytes = fileSize(fd);
    for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
      signal.throwIfAborted();
      builder.update(readExactly(fd, at, Math.min(PIECE_BYTES, sizeBytes - at)));
      if (sizeBytes > PIECE_BYTES) await nextTurn();
    }
    return digestSignature(builder.finish()).digest;
  } finally {
    closeFile(fd);
  }
}

/** Files are signed in pieces of this size; between them others get their turn. */
const PIECE_BYTES = 1024 * 1024;
