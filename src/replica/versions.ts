/** Which version of a file the tree holds. Pure. */
import type { TreePath } from "../bytes/tree-path.js";
import { holdsTime } from "../disk/held-time.js";
import type { FileEntry } from "../manifest/contents.js";
import type { Survivor } from "./collapse.js";
import type { LocalObject } from "./plan.js";

/** Whether a local regular file holds the content of a version of it; `perhaps`: its signature will tell. */
export type VersionTest = (
  version: FileEntry,
  local: LocalObject,
  isLast: boolean,
) => "held" | "perhaps" | "other";

/** A file of equal size and time is taken to have the content. */
export const bySizeAndTime: VersionTest = (version, local, isLast) => {
  const { sizeBytes, attributes, signature } = version;
  if (sizeBytes !== local.sizeBytes) return "other";
  if (attributes.mtime === local.mtime) return "held";
  // Where the file system cannot hold an entry's time.
  const mayBe = isLast && signature !== undefined && holdsTime(local.mtime, attributes.mtime);
  return mayBe ? "perhaps" : "other";
};

/** The files of the last version's size were read: those in `differing` do not have its content. */
export function bySignature(differing: ReadonlySet<TreePath>): VersionTest {
  return (version, local, isLast) => {
    if (!isLast) return bySizeAndTime(version, local, isLast);
    const isHeld = version.sizeBytes === local.sizeBytes && !differing.has(version.path);
    return isHeld ? "held" : "other";
  };
}

/** Whether all survivors only keep the local content as it is. */
export function onlyKeeps(survivors: readonly Survivor[], local: LocalObject): boolean {
  return survivors.every(
    ({ entry }) => entry.kind === "prefix" && entry.sizeBytes === local.sizeBytes,
  );
}

/** What is to be done to a file that may hold one of the survivors' versions already: nothing when that is the last. */
export function lackedBy(
  local: LocalObject | undefined,
  survivors: readonly Survivor[],
  holds: VersionTest,
): readonly Survivor[] {
  if (local?.type !== "file") return survivors;
  const last = survivors.length - 1;
  const held = survivors.findLastIndex(({ entry }, at) => {
    if (entry.kind === "deleted" || entry.kind === "object") return false;
    return holds(entry, local, at === last) !== "other";
  });
  return survivors.slice(held + 1);
}
