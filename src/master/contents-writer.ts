import path from "node:path";
import { streamFile } from "../disk/files.js";
import { gunzip } from "../disk/gunzip.js";
import { CONTENTS_PAGE_ENTRIES } from "../limits.js";
import { type ContentsEntry, encodeContentsPage } from "../manifest/contents.js";

import { describeSet } from "../manifest/describe-set.js";
import type { Table } from "../manifest/ledger.js";
import type { WholeSet } from "./repository.js";
import { TableWriter } from "./table-writer.js";
import type { UnsyncedFiles } from "./unsynced-files.js";
import type { TappedVolume } from "./volume-tap.js";

export interface WrittenContents {
  readonly table: Table;
  readonly entryCount: number;
}

/** Lists the entries of a set from the bytes of its volumes, and writes the list to `file`, page by page. */
export async function writeContents(options: {
  readonly repository: string;
  readonly set: WholeSet;
  readonly volumes: AsyncIterable<TappedVolume>;
  readonly file: string;
  readonly unsynced: UnsyncedFiles;
  readonly signal: AbortSignal;
}): Promise<WrittenContents> {
  const { repository, set, unsynced, signal } = options;
  const signatures = set.set.signatures;
  const entries = describeSet({
    volumes: unwrapAll(options.volumes, signal),
    isIncrement: set.isIncrement,
    ...(signatures === undefined
      ? {}
      : {
          signatures: unwrap(
            streamFile(path.join(repository, signatures.name), { signal }),
            signatures.wrapping === "gzip",
            signal,
          ),
        }),
  });
  return await writePages(entries, new TableWriter(options.file, { mayBeInline: true, unsynced }));
}

/** A page is closed at about this size even when it has few entries: its paths are long, or its files in many runs. */
const PAGE_TARGET_BYTES = 2 * 1024 * 1024;

async function writePages(
  entries: AsyncIterable<ContentsEntry>,
  writer: TableWriter,
): Promise<WrittenContents> {
  let page: ContentsEntry[] = [];
  let pageSizeBytes = 0;
  let entryCount = 0;
  const flush = async (): Promise<void> => {
    const [first] = page;
    if (first !== undefined) await writer.add(encodeContentsPage(page), first.path);
    page = [];
    pageSizeBytes = 0;
  };
  for await (const entry of entries) {
    page.push(entry);
    entryCount += 1;
    pageSizeBytes += sizeOf(entry);
    if (page.length >= CONTENTS_PAGE_ENTRIES || pageSizeBytes >= PAGE_TARGET_BYTES) await flush();
  }
  await flush();
  return { table: writer.finish(), entryCount };
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

async function* unwrapAll(
  volumes: AsyncIterable<TappedVolume>,
  signal: AbortSignal,
): AsyncGenerator<{ number: number; chunks: AsyncIterable<Uint8Array> }, void, undefined> {
  for await (const { number, isGzip, chunks } of volumes) {
    yield { number, chunks: unwrap(chunks, isGzip, signal) };
  }
}

function unwrap(
  chunks: AsyncIterable<Uint8Array>,
  isGzip: boolean,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  return isGzip ? gunzip(chunks, { signal }) : chunks;
}
