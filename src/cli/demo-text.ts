/** What the demo says, in plain words and numbers. */
import { formatDuration, formatSize } from "../bytes/units.js";
import type { FileCounts, Strategy } from "../replica/report.js";
import type { TreeCount } from "./demo-tree.js";

export interface DemoStage {
  readonly what: string;
  readonly strategy: Strategy;
  readonly generation: number;
  /** Undefined when nothing was to be published. */
  readonly publishSeconds: number | undefined;
  readonly syncSeconds: number;
  /** Moved by the replica, everything included. */
  readonly bytes: number;
  readonly requests: number;
  readonly files: FileCounts;
  /** The same with `rsync -az`; undefined when rsync is not installed. */
  readonly rsync: { readonly bytes: number; readonly seconds: number } | undefined;
}

export interface DemoSummary {
  readonly tree: TreeCount;
  readonly stages: readonly DemoStage[];
  /** Paths at which the two trees differ. */
  readonly differences: readonly string[];
  readonly seconds: number;
}

export function formatDemoStage(stage: DemoStage): string {
  const { what, generation, publishSeconds, syncSeconds, bytes, requests, files } = stage;
  const cost = `${toTime(syncSeconds)} with ${formatSize(bytes)} in ${requests} requests`;
  if (publishSeconds === undefined) return `${what}: the replica looked in ${cost}`;
  const published = `published in ${toTime(publishSeconds)} (generation ${generation})`;
  const { written, patched, deleted } = files;
  const counts = `${written} files written, ${patched} patched, ${deleted} deleted`;
  return `${what}: ${published}; the replica followed in ${cost}: ${counts}`;
}

export function formatDemoSummary(summary: DemoSummary): string {
  const { tree, stages, differences, seconds } = summary;
  const rows = stages.map(({ what, bytes, syncSeconds, rsync }) => [
    what,
    formatSize(bytes),
    toTime(syncSeconds),
    rsync === undefined ? "-" : formatSize(rsync.bytes),
    rsync === undefined ? "-" : toTime(rsync.seconds),
  ]);
  const header = ["", "dupmirror", "", "rsync -az", ""];
  const verdict =
    differences.length === 0
      ? `Both trees are the same: names, types, modes, times and bytes of ${tree.files} files.`
      : `The trees DIFFER at ${differences.length} paths: ${differences.slice(0, 5).join(", ")}`;
  return [
    "",
    "What one replica moved, and how long it took:",
    ...formatTable([header, ...rows]),
    "",
    "Every rsync makes the master look at every file; a replica reads static files, from any source.",
    "(Times are of this machine: no network lies between, and the replica reads through three web servers.)",
    "One of three sources was killed before the second increment: any two hold everything.",
    verdict,
    `The demo took ${toTime(seconds)} and has removed what it made.`,
  ].join("\n");
}

function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join("  ")}`.trimEnd();
  });
}

function toTime(seconds: number): string {
  return formatDuration(seconds * 1000);
}
