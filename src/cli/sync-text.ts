/** A replica's report as people read it. */
import { formatDuration, formatSize } from "../bytes/units.js";
import type { HoldReport } from "../replica/hold.js";
import type { SyncReport } from "../replica/report.js";

export function formatSyncReport(report: SyncReport): string {
  const { mirror, strategy, generation, positionAfter } = report;
  const at = `${positionAfter?.set ?? "no set"} (generation ${generation})`;
  const held = report.held === undefined ? "" : `\n  ${formatHold(report.held)}`;
  if (strategy === "none")
    return `${mirror}: nothing to do, at ${at}; ${formatCost(report)}${held}`;
  return `${mirror}: ${strategy} to ${at}: ${formatCounts(report)}; ${formatCost(report)}${held}`;
}

export function formatHold({ set, since, isReached, isRetained }: HoldReport): string {
  const parts = [
    `held at ${set} since ${since}`,
    ...(isReached ? [] : ["which was cut off before the tree was there: run it again, or end it"]),
    ...(isRetained ? [] : ["whose chain the publication no longer has: the tree stays as it is"]),
    "`dupmirror replica rollback --to newest` lets it follow again",
  ];
  return parts.join("; ");
}

/** @param target what the tree would be brought to */
export function formatPlan(report: SyncReport, target = `generation ${report.generation}`): string {
  const { mirror, strategy, positionBefore, setsFollowed, estimate } = report;
  if (strategy === "none") return formatSyncReport(report);
  const lines = [
    `${mirror}: would ${strategy} from ${positionBefore?.set ?? "no set"} to ${target}`,
    ...(setsFollowed > 0 ? [`  sets to follow: ${setsFollowed}`] : []),
    `  files: ${formatCounts(report)}`,
    ...(estimate === undefined
      ? []
      : [`  to fetch: ${formatSize(estimate.bytes)} in ${estimate.stripes} stripes`]),
    `  fetched for this plan: ${formatCost(report)}`,
  ];
  return lines.join("\n");
}

function formatCounts({ files }: SyncReport): string {
  const { written, patched, special, deleted, mended } = files;
  const counts = [
    `${written} written`,
    `${patched} patched`,
    `${special} without content`,
    `${deleted} deleted`,
  ];
  return [...counts, ...(mended > 0 ? [`${mended} mended`] : [])].join(", ");
}

export function formatCost({
  bytes,
  requests,
  seconds,
}: Pick<SyncReport, "bytes" | "requests" | "seconds">): string {
  const spent = Object.values(seconds).reduce((sum, part) => sum + part, 0);
  const size = formatSize(bytes["total"] ?? 0);
  return `${size} in ${requests["total"] ?? 0} requests, ${formatDuration(spent * 1000)}`;
}
