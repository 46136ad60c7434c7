/** The sets that a tree at some set was made from. */
import { formatSetName, sameSet } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { MirrorError } from "../errors.js";
import type { LedgerLine } from "./ledger.js";

/**
 * From the full set to `newest`, each made upon the one before it; forks that led elsewhere are left out. Of sets with
 * equal times the one published last before its successor counts. @throws MirrorError GAP
 */
export function lineageOf(lines: readonly LedgerLine[], newest: SetId): LedgerLine[] {
  const lineage: LedgerLine[] = [];
  let time = newest.time;
  for (const line of lines.toReversed()) {
    if (line.set.time !== time) continue;
    if (lineage.length === 0 && !sameSet(line.set, newest)) continue;
    lineage.push(line);
    if (line.set.kind === "full") return lineage.reverse();
    time = line.set.from;
  }
  const missing = lineage.length === 0 ? "it" : "a set that it was made upon";
  const message = `${formatSetName(newest)} has no lineage: the ledger lacks ${missing}`;
  throw new MirrorError("GAP", message);
}
