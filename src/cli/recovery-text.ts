/** What restore and reassemble did, in plain words. */
import { pathToFileURL } from "node:url";
import { formatSize } from "../bytes/units.js";
import type { SourceFailure } from "../replica/discover.js";
import type { ReassembleReport } from "../replica/reassemble.js";
import type { SyncReport } from "../replica/report.js";
import type { Recovery } from "./recovery.js";
import { formatCost } from "./sync-text.js";

export function formatRestoreReport(
  report: SyncReport,
  { config: { tree }, failures }: Pick<Recovery, "config" | "failures">,
): string {
  const { mirror, positionAfter, strategy, files } = report;
  const what = `${mirror}: ${tree} is the tree of ${positionAfter?.set ?? "no set"}`;
  if (strategy === "none") return `${what}, as the call before had made it; ${formatCost(report)}`;
  const counts = `${files.written} files written, ${files.special} objects without content`;
  return [`${what}: ${counts}; ${formatCost(report)}`, ...formatSources(report, failures)].join(
    "\n",
  );
}

export function formatReassembleReport(
  report: ReassembleReport,
  { config: { tree: repository }, failures }: Pick<Recovery, "config" | "failures">,
): string {
  const { mirror, chains, sets, files, repositoryBytes, isEncrypted } = report;
  const parts = `${count(chains, "chain")}, ${count(sets, "set")}, ${formatSize(repositoryBytes)}`;
  const fetched = `${count(files.fetched, "file")} put together, ${files.kept} there already`;
  const url = `${isEncrypted ? "" : "--no-encryption "}${pathToFileURL(repository).href}`;
  return [
    `${mirror}: ${repository} is the duplicity repository (${parts}): ${fetched}; ${formatCost(report)}`,
    ...formatSources(report, failures),
    `  to read it: duplicity restore ${url} OUT`,
  ].join("\n");
}

export function formatKey({ fingerprint, isKeyOnTrust }: Recovery): string {
  const why = isKeyOnTrust
    ? "taken on trust, as the hosts show it: compare it with `backup`'s"
    : "known here";
  return `  key ${fingerprint}, ${why}`;
}

function formatSources(
  { sources }: Pick<SyncReport, "sources">,
  failures: readonly SourceFailure[],
): string[] {
  return sources.map(({ name, url, bytes, errors, corruptBlocks }) => {
    const failure = failures.find((one) => one.url === url);
    const facts = [
      formatSize(bytes),
      ...(errors === 0 ? [] : [count(errors, "failed request")]),
      ...(corruptBlocks === 0 ? [] : [count(corruptBlocks, "corrupt block")]),
      ...(failure === undefined ? [] : [failure.reason]),
    ];
    return `  host ${name === url ? url : `${name} (${url})`}: ${facts.join(", ")}`;
  });
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
