/** What a verification found, as people read it. */
import { formatDuration, formatSize } from "../bytes/units.js";
import type { VerifyReport } from "../replica/verify-report.js";

/** A line for each finding; beyond so many, how many more there are. */
export function formatFindings({ findings, counts }: VerifyReport): string[] {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const lines = findings.map(({ kind, path }) => `${kind.padEnd(KIND_WIDTH)} ${path}`);
  return total > findings.length ? [...lines, `and ${total - findings.length} more`] : lines;
}

export function formatVerifySummary(report: VerifyReport): string {
  const { mirror, set, checked, damaged, repaired, seconds, bytes } = report;
  const spentMs = 1000 * Object.values(seconds).reduce((sum, part) => sum + part, 0);
  const read = `${checked.entries} objects, ${formatSize(checked.bytes)} read, ${formatDuration(spentMs)}`;
  if (damaged === 0) return `${mirror}: the tree is ${set}; ${read}`;
  const what = `${damaged} objects of the tree are not as ${set} has them (${formatCounts(report)})`;
  if (repaired === undefined) {
    return `${mirror}: ${what}; ${read}. \`replica verify --repair\` mends them`;
  }
  return `${mirror}: ${what}, and were mended with ${formatSize(bytes["total"] ?? 0)}; ${read}`;
}

function formatCounts({ counts }: VerifyReport): string {
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  return found.map(([kind, count]) => `${count} ${kind}`).join(", ");
}

const KIND_WIDTH = 10;
