import path from "node:path";
import { streamFile } from "../disk/files.js";
import { gunzip } from "../disk/gunzip.js";
import { INLINE_TABLE_MAX_BYTES } from "../limits.js";
import type { ContentsEntry } from "../manifest/contents.js";
import { type ContentsPage, cutPages } from "../manifest/contents-pages.js";
import { describeSet } from "../manifest/describe-set.js";
import type { Table } from "../manifest/ledger.js";
import type { WholeSet } from "./repository.js";
import { TableWriter } from "./table-writer.js";
import type { UnsyncedFiles } from "./unsynced-files.js";
import type { TappedVolume } from "./volume-tap.js";

export interface WrittenContents {
  /** Absent when only who can decrypt the set can list its entries. */
  readonly table: Table | undefined;
  readonly entryCount: number;
}

/** What is known of an encrypted set. */
export const NO_CONTENTS: WrittenContents = { table: undefined, entryCount: 0 };

/** Lists the entries of a set from the bytes of its volumes, and writes the list to `file`, page by page. */
export async function writeContents(options: {
  readonly repository: string;
  readonly set: WholeSet;
  readonly volumes: AsyncIterable<TappedVolume>;
  readonly file: string;
  readonly unsynced: UnsyncedFiles;
  readonly onEntry: (entry: ContentsEntry) => void;
  readonly signal: AbortSignal;
}): Promise<WrittenContents> {
  const { repository, set, unsynced, onEntry, signal } = options;
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
  const writer = new TableWriter(options.file, {
    inlineMaxBytes: INLINE_TABLE_MAX_BYTES,
    unsynced,
  });
  return await writePages(cutPages(entries, onEntry), writer);
}

async function writePages(
  pages: AsyncIterable<ContentsPage>,
  writer: TableWriter,
): Promise<WrittenContents> {
  let entryCount = 0;
  for await (const page of pages) {
    await writer.add(page.bytes, page.first);
    entryCount += page.entryCount;
  }
  return { table: writer.finish(), entryCount };
}

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
