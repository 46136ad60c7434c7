/** What a backup chain holds of a tree, by what duplicity notices and stores (duplicity-format 9). */
import type { TreeRecord } from "../../support/tree-compare.js";

/**
 * The records that a replica, or `duplicity restore`, must show for a tree with the records `now`, of which the last set
 * of the chain kept `before`. The differences to `now`, all of them:
 * - a symlink keeps the owner that it had when its target last changed;
 * - a device keeps the time that it had when its mode, owner or numbers last changed;
 * - a file keeps the content that it had when its mode, owner or whole-second time last changed;
 * - a time before 1970 is 1970, and no other than any such time;
 * - there are no sockets.
 * Hard links, holes, xattrs and fractions of seconds, which no record holds, are lost as well.
 */
export function keptByDuplicity(
  before: readonly TreeRecord[],
  now: readonly TreeRecord[],
): TreeRecord[] {
  const kept = new Map(before.map((record) => [record.path, record]));
  return now.flatMap((record) => {
    if (record.type === "socket") return [];
    const stored = { ...record, mtime: Math.max(0, record.mtime) };
    const last = kept.get(record.path);
    return [last !== undefined && !isNoticed(last, stored) ? last : stored];
  });
}

function isNoticed(last: TreeRecord, now: TreeRecord): boolean {
  if (last.type !== now.type) return true;
  if (now.type === "symlink") return last.target !== now.target;
  if (last.mode !== now.mode || last.uid !== now.uid || last.gid !== now.gid) return true;
  const isDevice = now.type === "character" || now.type === "block";
  return isDevice ? last.device !== now.device : last.mtime !== now.mtime;
}
