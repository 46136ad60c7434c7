/** A master's report as people read it. */
import { formatDuration, formatSize } from "../bytes/units.js";
import { MEND_MISSED } from "../master/look-at-suspects.js";
import type { HostReport, MissedFile, PublishReport } from "../master/report.js";

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
  lines.push(...report.hosts.map(formatHost));
  if (report.removed.length > 0) lines.push(`  removed: ${report.removed.length} old files`);
  return lines.join("\n");
}

/** A line about what the host holds, and since when and why it is behind if it is. */
export function formatHost(host: HostReport): string {
  const { name, shares, state, error, behindSince, generation, missingBytes } = host;
  const facts = [
    behindSince === undefined ? state : `${state} since ${new Date(behindSince).toISOString()}`,
    generation === undefined ? "holds no generation" : `holds generation ${generation}`,
    ...(missingBytes === undefined || missingBytes === 0
      ? []
      : [`${formatSize(missingBytes)} missing`]),
  ];
  const why = error === undefined ? "" : `: ${error}`;
  return `  host ${name}, shares ${shares.join(" ")}: ${facts.join(", ")}${why}`;
}

export function formatMissed(missed: readonly MissedFile[]): string[] {
  return missed.map(({ path, set }) => `  ${path}: missed by ${set}: ${MEND_MISSED}`);
}
