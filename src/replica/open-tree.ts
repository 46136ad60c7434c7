/** The tree and what is known of it when a cycle begins. */
import { ROOT } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import { ConfinedTree } from "../disk/confined.js";
import { makeFolder } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { identifyTree } from "./local-tree.js";
import { type Position, positionOf, readPosition, type TreeIdentity } from "./position.js";
import { WORK } from "./staging.js";
import type { StateFiles } from "./state-files.js";

export interface OpenedTree {
  readonly tree: ConfinedTree;
  readonly identity: Omit<TreeIdentity, "mtime">;
  readonly position: Position | undefined;
  readonly isEmpty: boolean;
}

/**
 * Opens the tree; makes it when there never was one.
 * @throws MirrorError TREE_MISSING when it has gone, or stands empty, though a position says what it holds:
 *   a file system that is not mounted must not be filled beneath its mount point
 */
export function openTree(mirror: ReplicaMirror, files: StateFiles): OpenedTree {
  const position = readPosition(files.position);
  if (identifyTree(mirror.tree) === undefined) {
    if (position !== undefined) throw gone(mirror, files, "is missing");
    makeFolder(mirror.tree, 0o755);
  }
  const identity = identifyTree(mirror.tree);
  if (identity === undefined) throw new MirrorError("TREE_MISSING", `tree ${mirror.tree}: missing`);
  const tree = ConfinedTree.open(mirror.tree);
  const isEmpty = tree.list(ROOT).every((name) => name === WORK);
  const ours = positionOf(identity, position);
  // A commit that was cut off may have left nothing yet of the one set, and nothing more of the other.
  const isCommitting = ours !== undefined && readFileIfPresent(files.journal) !== undefined;
  if (position !== undefined && isEmpty && position.entryCount > 1 && !isCommitting) {
    tree.close();
    throw gone(mirror, files, "is empty");
  }
  return { tree, identity, position: ours, isEmpty };
}

function gone(mirror: ReplicaMirror, files: StateFiles, how: string): MirrorError {
  return new MirrorError(
    "TREE_MISSING",
    `tree ${mirror.tree} ${how}, though it held a mirror: is its file system mounted? ` +
      `To build it anew, remove ${files.position}`,
  );
}
