/**
 * What shall be in a tree at the end of a lineage, in index order and in batches. The pages of contents are
 * fetched as they are needed, so that neither memory nor a short look at the tree costs what the whole of it does.
 */
import { compareTreePaths, type TreePath, toTreePath } from "../bytes/tree-path.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { collapseSets } from "./collapse.js";
import { type Expected, expectedOf } from "./compare.js";
import type { Batch } from "./comparer.js";
import { type PageChoice, pagesBetween } from "./page-choice.js";
import type { PlanRules } from "./plan.js";
import { entriesOf } from "./sets.js";
import type { TableStore } from "./table-store.js";

export interface PublishedTreeOptions {
  readonly lines: readonly LedgerLine[];
  readonly tables: TableStore;
  readonly rules: PlanRules;
  /** The pages of contents that the replica's part of the tree can be in. */
  readonly pages: PageChoice;
  /** Makes the pages that are wanted of all lines ready. @throws MirrorError as `TableStore.prepare` */
  readonly prepare: (isWanted: PageChoice) => Promise<void>;
}

/** All of it, or what comes after a path. */
export async function* publishedBatches(
  options: PublishedTreeOptions,
  after: TreePath | undefined,
): AsyncGenerator<Batch> {
  const { lines, pages, prepare } = options;
  let batch = new BatchMaker();
  for (const { start, end } of windowsOf(lines, after)) {
    const isWithin = pagesBetween(start, end);
    const isWanted: PageChoice = (page, next) => isWithin(page, next) && pages(page, next);
    await prepare(isWanted);
    for (const expected of expectedBetween(options, { start, end, isWanted })) {
      if (after !== undefined && compareTreePaths(expected.path, after) <= 0) continue;
      if (!batch.add(expected)) continue;
      yield { expected: batch.expected, isLast: false };
      batch = new BatchMaker();
    }
  }
  yield { expected: batch.expected, isLast: true };
}

/** A run of paths: from `start` on, before `end`, as far as they are given. */
interface Window {
  readonly start: TreePath | undefined;
  readonly end: TreePath | undefined;
}

/** The pages of the set that has most of them cut the tree into runs. */
function* windowsOf(lines: readonly LedgerLine[], after: TreePath | undefined): Generator<Window> {
  let start = after;
  for (const end of boundariesOf(lines)) {
    if (start !== undefined && compareTreePaths(end, start) <= 0) continue;
    yield { start, end };
    start = end;
  }
  yield { start, end: undefined };
}

function boundariesOf(lines: readonly LedgerLine[]): TreePath[] {
  let longest: readonly TreePath[] = [];
  for (const { contents } of lines) {
    if (contents?.kind !== "paged" || contents.pages.length <= longest.length) continue;
    longest = contents.pages.map(({ first }) => toTreePath(first));
  }
  return longest.filter((_, at) => at > 0 && at % WINDOW_PAGES === 0);
}

/** About 2 MiB are fetched at once. */
const WINDOW_PAGES = 16;

function* expectedBetween(
  { lines, tables, rules }: PublishedTreeOptions,
  { start, end, isWanted }: Window & { readonly isWanted: PageChoice },
): Generator<Expected> {
  const sets = lines.map((line) => entriesOf(line, tables, isWanted));
  for (const { path, survivors } of collapseSets(sets)) {
    if (start !== undefined && compareTreePaths(path, start) < 0) continue;
    if (end !== undefined && compareTreePaths(path, end) >= 0) return;
    const last = survivors.at(-1)?.entry;
    const expected = last === undefined ? undefined : expectedOf(last, rules.ownerOf);
    if (expected === undefined || !canStand(expected)) continue;
    if (rules.isWanted(path, expected.object.type === "directory")) yield expected;
  }
}

/** Only root can make devices: nobody else's tree has them. */
function canStand({ object }: Expected): boolean {
  const isDevice = object.type === "characterDevice" || object.type === "blockDevice";
  return !isDevice || process.getuid?.() === 0;
}

/** Small enough to stop after, and to send to another thread at once. */
class BatchMaker {
  readonly expected: Expected[] = [];
  #bytes = 0;

  /** Whether the batch is full now. */
  add(expected: Expected): boolean {
    this.expected.push(expected);
    if (expected.object.type === "file") this.#bytes += expected.object.sizeBytes;
    return this.expected.length >= BATCH_ENTRIES || this.#bytes >= BATCH_BYTES;
  }
}

const BATCH_ENTRIES = 512;
const BATCH_BYTES = 64 * 1024 * 1024;
