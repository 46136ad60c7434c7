/** A master's report as people read it. */
import { formatDuration, formatSize } from "../bytes/units.js";
import { MEND_MISSED } from "../master/look-at-suspects.js";
import type { MissedFile, PublishReport } from "../master/report.js";

export function formatPublishReport(report: PublishReport): string {
  const { mirror, generation, newest, published, sets, seconds } = report;
  const spent = Object.values(seconds).reduce((sum, part) => sum + part, 0);
  const what = published === "nothing" ? "nothing new" : `published ${published}`;
  const time = formatDuration(spent * 1000);
  const lines = [
    `${mirror}: ${what}, at ${newest ?? "no set"} (generation ${generation}); ${time}`,
  ];
  for (const set of sets) {
    const sizes = `${formatSize(set.volumeBytes)} in ${set.volumeCount} volumes`;
    const entries = set.isEncrypted ? "encrypted" : `${set.entryCount} entries`;
    lines.push(`  ${set.name}: ${entries}, ${sizes}, ${formatSize(set.storedBytes)} of shares`);
  }
  for (const name of report.withheld) lines.push(`  ${name}: withheld, its backup had errors`);
  for (const name of report.waiting) lines.push(`  ${name}: waits, it is still being written`);
  lines.push(...formatMissed(report.missed));
  for (const host of report.hosts) {
    const why = host.error === undefined ? "" : `: ${host.error}`;
    lines.push(`  host ${host.name}, shares ${host.shares.join(" ")}: ${host.state}${why}`);
  }
  if (report.removed.length > 0) lines.push(`  removed: ${report.removed.length} old files`);
  return lines.join("\n");
}

export function formatMissed(missed: readonly MissedFile[]): string[] {
  return missed.map(({ path, set }) => `  ${path}: missed by ${set}: ${MEND_MISSED}`);
}
