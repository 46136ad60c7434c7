/** Cuts the entries of a set into pages of contents. */
import type { TreePath } from "../bytes/tree-path.js";
import { CONTENTS_PAGE_ENTRIES, SMALL_PAGE_ENTRIES, SMALL_PAGES } from "../limits.js";
import { type ContentsEntry, encodeContentsPage } from "./contents.js";

export interface ContentsPage {
  readonly first: TreePath;
  /** Not packed yet. */
  readonly bytes: Uint8Array;
  readonly entryCount: number;
}

/** No more than a page is in memory. @param onEntry told of every entry in passing */
export async function* cutPages(
  entries: AsyncIterable<ContentsEntry>,
  onEntry: (entry: ContentsEntry) => void = () => undefined,
): AsyncGenerator<ContentsPage, void, undefined> {
  let page: ContentsEntry[] = [];
  let pageCount = 0;
  let sizeBytes = 0;
  for await (const entry of entries) {
    onEntry(entry);
    page.push(entry);
    sizeBytes += sizeOf(entry);
    const mostEntries = pageCount < SMALL_PAGES ? SMALL_PAGE_ENTRIES : CONTENTS_PAGE_ENTRIES;
    if (page.length < mostEntries && sizeBytes < PAGE_TARGET_BYTES) continue;
    yield* closePage(page);
    pageCount++;
    page = [];
    sizeBytes = 0;
  }
  yield* closePage(page);
}

/** A page is closed at about this size even when it has few entries: its paths are long, or its files in many runs. */
const PAGE_TARGET_BYTES = 2 * 1024 * 1024;

function* closePage(entries: readonly ContentsEntry[]): Generator<ContentsPage> {
  const [first] = entries;
  if (first === undefined) return;
  yield { first: first.path, bytes: encodeContentsPage(entries), entryCount: entries.length };
}

/** No less than an entry takes in a page. */
function sizeOf(entry: ContentsEntry): number {
  const fixed = entry.path.length + FIXED_FIELDS_BYTES;
  if (entry.kind === "deleted") return fixed;
  if (entry.kind !== "object") return fixed + entry.data.length * RUN_BYTES;
  return fixed + (entry.object.type === "symlink" ? entry.object.target.length : 0);
}

const FIXED_FIELDS_BYTES = 64;
const RUN_BYTES = 32;
