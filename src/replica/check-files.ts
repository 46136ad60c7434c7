/** Whether files of the tree have the content that a set recorded, by their librsync signatures. */
import { equalBytes } from "../bytes/digest.js";
import type { TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { signFile } from "../disk/sign-file.js";
import type { CheckStep } from "./plan.js";

/** The files of `checks` whose content is not what the set recorded. */
export async function checkFiles(
  tree: ConfinedTree,
  checks: readonly CheckStep[],
  signal: AbortSignal,
): Promise<TreePath[]> {
  const damaged: TreePath[] = [];
  for (const { path, signature } of checks) {
    const isFile = tree.lstat(path)?.isFile() === true;
    const found = isFile ? await signFile(tree, path, signature.blockLength, signal) : undefined;
    if (found === undefined || !equalBytes(found, signature.digest)) damaged.push(path);
  }
  return damaged;
}
