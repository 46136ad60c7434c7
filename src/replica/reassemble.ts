/**
 * Puts the duplicity repository of a publication together again, with all chains that the head names: every file under its own name
 * and byte for byte, encrypted ones as they are.
 */
import path from "node:path";
import { equalBytes, sha256Chunks } from "../bytes/digest.js";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { fileIdentity, listFolder, streamFile } from "../disk/files.js";
import { freeSpace } from "../disk/space.js";
import { formatSetName, parseFileName } from "../duplicity/names.js";
import { MirrorError } from "../errors.js";
import type { CodedFile } from "../manifest/file-table.js";
import type { Head } from "../manifest/head.js";
import type { LedgerLine } from "../manifest/ledger.js";
import type { SourceReport } from "../retrieve/source-pool.js";
import { retrieveStripes, type StripeRequest } from "../retrieve/stripes.js";
import { withLock } from "./operation.js";
import { EVERY_PAGE } from "./page-choice.js";
import { type Published, type PublishedOptions, withPublished } from "./published.js";
import { RepositoryWriter, UNFINISHED } from "./repository-writer.js";
import { filesOf } from "./sets.js";
import type { TableStore } from "./table-store.js";
import { everyStripe } from "./wanted-stripes.js";

export interface ReassembleReport {
  readonly mirror: string;
  readonly generation: number;
  readonly chains: number;
  readonly sets: number;
  /** Some of its sets at least. */
  readonly isEncrypted: boolean;
  /** `kept`: they lay there already, and were whole. */
  readonly files: { readonly fetched: number; readonly kept: number };
  /** Of all files of the repository. */
  readonly repositoryBytes: number;
  /** By kind of what was read, and their total. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly sources: readonly SourceReport[];
  readonly seconds: Readonly<Record<string, number>>;
}

/**
 * The repository is `config.tree`. A file that lies there already is kept when it is whole, as its hash tells. The files of a set come in the
 * order in which duplicity wrote them, the manifest last.
 * @throws MirrorError USAGE when something else lies there; DISK_SPACE; what a sync throws of sources
 */
export async function reassemble(options: PublishedOptions): Promise<ReassembleReport> {
  return await withLock(options, () => withPublished(options, reassembleChains));
}

async function reassembleChains(published: Published): Promise<ReassembleReport> {
  const { options, meter, shelf } = published;
  const folder = options.config.tree;
  const head = await published.poll();
  const chains: ChainLines[] = [];
  for (const { chain } of head.ledgers) {
    chains.push({ chain, lines: await published.readChain(head, chain) });
  }
  const lines = chains.flatMap((one) => one.lines);
  checkFolder(folder, lines);
  makeFolder(folder, 0o700);
  const count = { fetched: 0, kept: 0, bytes: 0 };
  for (const chain of chains) await reassembleChain(published, { ...chain, head, count });
  return {
    mirror: head.mirror,
    generation: head.generation,
    chains: chains.length,
    sets: lines.length,
    isEncrypted: lines.some(({ contents }) => contents === undefined),
    files: { fetched: count.fetched, kept: count.kept },
    repositoryBytes: count.bytes,
    ...meter.totals(),
    sources: shelf.reports(),
    seconds: meter.seconds,
  };
}

interface ChainLines {
  readonly chain: number;
  readonly lines: readonly LedgerLine[];
}

/** Files of another repository would be taken for parts of this one. */
function checkFolder(folder: string, lines: readonly LedgerLine[]): void {
  const sets = new Set(lines.map(({ set }) => formatSetName(set)));
  const other = listFolder(folder).find((name) => {
    const set = parseFileName(name)?.set;
    return name !== UNFINISHED && (set === undefined || !sets.has(formatSetName(set)));
  });
  if (other === undefined) return;
  const what = `${folder} holds ${other}, which is not of this repository`;
  throw new MirrorError("USAGE", `${what}: name an empty folder, or one that is not there`);
}

async function reassembleChain(
  published: Published,
  work: ChainLines & {
    readonly head: Head;
    readonly count: { fetched: number; kept: number; bytes: number };
  },
): Promise<void> {
  const { options, meter } = published;
  const { head, chain, lines, count } = work;
  const { tables } = published.openSets(head, chain);
  await meter.run("tables", "tables", () => prepareTables(lines, tables, options.signal));
  const missing = await meter.run("check", undefined, () => findMissing(published, work, tables));
  checkSpace(options.config.tree, missing.bytes);
  await meter.run("fetch", "blocks", () => fetchFiles(published, { ...work, tables, missing }));
  count.fetched += missing.names.size;
}

async function prepareTables(
  lines: readonly LedgerLine[],
  tables: TableStore,
  signal: AbortSignal,
): Promise<void> {
  for (const line of lines) {
    await tables.prepare(line, "volumes", EVERY_PAGE, signal);
    await tables.prepare(line, "records", EVERY_PAGE, signal);
  }
}

interface Missing {
  readonly names: ReadonlySet<string>;
  readonly bytes: number;
}

async function findMissing(
  { options }: Published,
  { lines, count }: Parameters<typeof reassembleChain>[1],
  tables: TableStore,
): Promise<Missing> {
  const names = new Set<string>();
  let bytes = 0;
  for (const { file } of filesInOrder(lines, tables)) {
    const place = path.join(options.config.tree, file.name);
    count.bytes += file.sizeBytes;
    if (await isWhole(place, file, options.signal)) {
      count.kept++;
    } else {
      names.add(file.name);
      bytes += file.sizeBytes;
      if (file.sizeBytes === 0) replaceFile(place, new Uint8Array()); // it has no stripe to wait for
    }
  }
  return { names, bytes };
}

async function isWhole(place: string, file: CodedFile, signal: AbortSignal): Promise<boolean> {
  if (fileIdentity(place)?.sizeBytes !== file.sizeBytes) return false;
  return equalBytes(await sha256Chunks(streamFile(place, { signal })), file.hash);
}

function checkSpace(folder: string, bytes: number): void {
  const free = freeSpace(folder).bytes;
  if (bytes <= free) return;
  throw new MirrorError("DISK_SPACE", `${folder}: ${bytes} bytes are missing, ${free} are free`);
}

async function fetchFiles(
  published: Published,
  work: Parameters<typeof reassembleChain>[1] & {
    readonly tables: TableStore;
    readonly missing: Missing;
  },
): Promise<void> {
  const { signal, runtime, config } = published.options;
  const { head, missing } = work;
  const writer = new RepositoryWriter(config.tree);
  let doneBytes = 0;
  try {
    const requests = wantedStripes(head, work);
    for await (const { request, bytes } of retrieveStripes({
      pool: published.pool(head),
      requests,
      signal,
    })) {
      writer.write(request.file.file, request.stripe, bytes);
      doneBytes += bytes.length;
      runtime.progress("reassemble", doneBytes, missing.bytes);
    }
  } finally {
    writer.close();
  }
}

function* wantedStripes(
  { session }: Head,
  work: ChainLines & { readonly tables: TableStore; readonly missing: Missing },
): Generator<StripeRequest> {
  const { chain, lines, tables, missing } = work;
  for (const { file, line } of filesInOrder(lines, tables)) {
    if (!missing.names.has(file.name)) continue;
    const stream = file.role === "volume" ? "volumes" : "records";
    yield* everyStripe({ session, chain, shape: line.shape, stream, file });
  }
}

/** Whoever sees a manifest takes its set for a whole one: it is the last of its set. */
function* filesInOrder(
  lines: readonly LedgerLine[],
  tables: TableStore,
): Generator<{ readonly file: CodedFile; readonly line: LedgerLine }> {
  for (const line of lines) {
    for (const file of filesOf(line, "volumes", tables)) yield { file, line };
    const records = [...filesOf(line, "records", tables)];
    const isManifest = ({ role }: CodedFile): number => Number(role === "manifest");
    for (const file of records.sort((a, b) => isManifest(a) - isManifest(b))) yield { file, line };
  }
}
