/** Local objects that this host's own configuration keeps from every change. */
import { displayPath, joinPaths, type TreePath, toTreePath } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { MirrorError } from "../errors.js";

type IsProtected = (path: TreePath) => boolean;

/** @throws MirrorError DELETE_GUARD when a directory that holds something protected would be replaced */
export function checkProtected(
  tree: ConfinedTree,
  replaced: readonly TreePath[],
  isProtected: IsProtected,
): void {
  for (const path of replaced) {
    if (!holdsProtected(tree, path, isProtected)) continue;
    throw new MirrorError(
      "DELETE_GUARD",
      `${displayPath(path)} in ${tree.root}: this update puts something else in place of that directory, ` +
        "which holds what delete.protect names; nothing was changed. Move one of them away",
    );
  }
}

/** Whether something below a directory is protected. */
export function holdsProtected(
  tree: ConfinedTree,
  path: TreePath,
  isProtected: IsProtected,
): boolean {
  for (const { name, isDirectory } of tree.listTyped(path)) {
    const child = joinPaths(path, toTreePath(name));
    if (isProtected(child)) return true;
    if (isDirectory && holdsProtected(tree, child, isProtected)) return true;
  }
  return false;
}
