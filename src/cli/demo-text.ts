/** What the demo says, in plain words and numbers. */
import { formatDuration, formatSize } from "../bytes/units.js";
import type { FileCounts, Strategy } from "../replica/report.js";
import type { TreeCount } from "./demo-tree.js";

export interface DemoStage {
  readonly what: string;
  readonly strategy: Strategy;
  readonly generation: number;
  readonly publishSeconds: number;
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
  const published = `published in ${toTime(publishSeconds)}`;
  const moved = `replica followed in ${toTime(syncSeconds)} with ${formatSize(bytes)} in ${requests} requests`;
  const { written, patched, deleted } = files;
  const counts = `${written} files written, ${patched} patched, ${deleted} deleted`;
  return `${what}: ${published} (generation ${generation}); ${moved}: ${counts}`;
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
    "rsync asks the master to look at every file each time; dupmirror asks it for nothing but static files.",
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
