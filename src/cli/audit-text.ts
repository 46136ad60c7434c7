/** What an audit found, as people read it. */
import { formatDuration, formatSize } from "../bytes/units.js";
import type { AuditedPlace, AuditFinding, AuditReport } from "../master/audit-report.js";

export function formatAudit(report: AuditReport): string[] {
  const { mirror, generation, sample, seed, seconds, places } = report;
  const what = sample === "all" ? "all blocks" : `${sample} blocks of each share`;
  const time = formatDuration(seconds * 1000);
  const head = `${mirror}: generation ${generation}, ${what} (--seed ${seed}), ${time}`;
  return [head, ...places.flatMap(formatPlace)];
}

function formatPlace({ name, checked, findings }: AuditedPlace): string[] {
  const { files, blocks, bytes } = checked;
  const read = `${files} files, ${blocks} blocks, ${formatSize(bytes)} read`;
  const state = findings.length === 0 ? "good" : countByKind(findings);
  const told = findings.slice(0, TOLD_MAX).map(formatFinding);
  const more = findings.length - told.length;
  return [`  ${name}: ${state}; ${read}`, ...told, ...(more > 0 ? [`    and ${more} more`] : [])];
}

function countByKind(findings: readonly AuditFinding[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of findings) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
}

function formatFinding({ kind, path, detail, isRepaired, error }: AuditFinding): string {
  const outcome = isRepaired ? "; repaired" : error === undefined ? "" : `; not repaired: ${error}`;
  return `    ${[kind, path].filter(Boolean).join(" ")}: ${detail}${outcome}`;
}

const TOLD_MAX = 20;
