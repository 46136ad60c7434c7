/** What a publication says of its own sizes, read with the program's decoders. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { blockSize } from "../../../src/erasure/codec.js";
import { stripeSize } from "../../../src/erasure/stripe.js";
import {
  type ContentsEntry,
  type DataRun,
  decodeContentsPage,
} from "../../../src/manifest/contents.js";
import { blocksSize, type CodedFile, decodeFileTable } from "../../../src/manifest/file-table.js";
import { type LedgerLine, parseLedgerLine, type Table } from "../../../src/manifest/ledger.js";
import { ledgerPath, tablePath } from "../../../src/manifest/paths.js";
import { unpackPage } from "../../../src/manifest/table.js";

/** An entry and its part of what the set's stripes take in k shares: headers and padding of the tar included. */
export interface StoredEntry {
  readonly path: string;
  readonly storedBytes: number;
}

export interface StoredSet {
  readonly line: LedgerLine;
  readonly entries: readonly StoredEntry[];
  /** Of the volumes' stripes in k shares. */
  readonly volumesBytes: number;
  /** Of the contents as they are published. */
  readonly contentsBytes: number;
}

/** The sets of a chain, or of the newest one, in the order of publication. */
export async function storedSets(publication: string, chain?: number): Promise<StoredSet[]> {
  const { session, newest } = readHead(publication);
  const file = path.join(publication, ledgerPath(session, chain ?? newest.chain));
  const lines = readFileSync(file, "latin1").split("\n").slice(0, -1);
  return await Promise.all(
    lines.map((line) =>
      readSet(publication, session, parseLedgerLine(Buffer.from(`${line}\n`, "latin1"))),
    ),
  );
}

/** All together. */
export function sumStored(entries: readonly StoredEntry[]): number {
  return Math.ceil(entries.reduce((sum, { storedBytes }) => sum + storedBytes, 0));
}

function readHead(publication: string): { session: string; newest: { chain: number } } {
  const [text = ""] = readFileSync(path.join(publication, "head"), "utf8").split("\n\n");
  // eslint-disable-next-line @typescript-eslint/no-unsafe-return -- a head that the program under test has written
  return JSON.parse(text);
}

async function readSet(publication: string, session: string, line: LedgerLine): Promise<StoredSet> {
  const pagesOf = async (name: "volumes" | "contents") =>
    await readPages(path.join(publication, tablePath(name, session, line.set)), line[name]);
  const volumes = await pagesOf("volumes");
  const contents = await pagesOf("contents");
  const files = volumes.pages.flatMap((page) => decodeFileTable(page, line.shape));
  const byNumber = new Map(files.map((one) => [one.number, one]));
  const entries = contents.pages
    .flatMap((page) => [...decodeContentsPage(page)])
    .map((entry) => ({ path: entry.path, storedBytes: storedSize(entry, byNumber, line.shape.k) }));
  const { k } = line.shape;
  const volumesBytes = k * files.reduce((sum, one) => sum + blocksSize(one, line.shape), 0);
  return { line, entries, volumesBytes, contentsBytes: contents.sizeBytes };
}

async function readPages(
  file: string,
  table: Table | undefined,
): Promise<{ pages: Uint8Array[]; sizeBytes: number }> {
  if (table === undefined) return { pages: [], sizeBytes: 0 };
  if (table.kind === "inline") {
    return { pages: [await unpackPage(table.bytes)], sizeBytes: table.bytes.length };
  }
  const bytes = table.pages.length === 0 ? Buffer.alloc(0) : readFileSync(file);
  let at = 0;
  const cut = table.pages.map(({ sizeBytes }) => bytes.subarray(at, (at += sizeBytes)));
  return { pages: await Promise.all(cut.map(unpackPage)), sizeBytes: at };
}

function storedSize(entry: ContentsEntry, files: Map<number, CodedFile>, k: number): number {
  const runs = entry.kind === "deleted" || entry.kind === "object" ? [] : entry.data;
  return runs.reduce((sum, run) => sum + runSize(run, files.get(run.volume), k), 0);
}

function runSize(run: DataRun, file: CodedFile | undefined, k: number): number {
  if (file === undefined) throw new Error(`no volume ${run.volume}`);
  let size = 0;
  for (let piece = 0; piece < run.pieceCount; piece++) {
    const start = run.offset + piece * run.strideBytes;
    const end = start + Math.ceil(run.pieceSizeBytes / TAR_BLOCK) * TAR_BLOCK;
    size += rangeSize(file, start - TAR_BLOCK, end, k);
  }
  return size;
}

/** What a range of a volume takes of its stripes' stored sizes. */
function rangeSize(file: CodedFile, start: number, end: number, k: number): number {
  let size = 0;
  for (const [at, stripe] of file.stripes.entries()) {
    const first = at * file.stripeSizeBytes;
    const raw = stripeSize(file, at);
    const within = Math.min(end, first + raw) - Math.max(start, first);
    if (within > 0) size += (within / raw) * k * blockSize(stripe.storedSizeBytes, k);
  }
  return size;
}

const TAR_BLOCK = 512;
