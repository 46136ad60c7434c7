/** What was published, put together from whichever place still holds it; all else is held against this. */

import { blockSize } from "../erasure/codec.js";
import type { Shape } from "../erasure/shape.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES } from "../limits.js";
import { decodeFileTable, stripeOffsets } from "../manifest/file-table.js";
import type { Head, LedgerReference } from "../manifest/head.js";
import { formatVerifierKey, type SigningKey } from "../manifest/keys.js";
import { FIRST_LINE_PREVIOUS, joinLedger, type LedgerLine } from "../manifest/ledger.js";
import {
  HEAD_PATH,
  ledgerPath,
  STREAMS,
  type Stream,
  TABLES,
  tablePath,
} from "../manifest/paths.js";
import { hashPage, unpackPage } from "../manifest/table.js";
import { allOver } from "../retrieve/settle.js";
import { findCopy, type Place } from "./audit-place.js";
import { openOwnHead } from "./own-head.js";

export interface Truth {
  readonly head: Head;
  readonly headBytes: Uint8Array;
  readonly keyBytes: Uint8Array;
  readonly chains: readonly TrueChain[];
}

export interface TrueChain {
  readonly chain: number;
  readonly ledgerPath: string;
  readonly ledgerBytes: Uint8Array;
  readonly lines: readonly LedgerLine[];
}

/** A table that is not in its ledger line. */
export interface TrueTable {
  readonly path: string;
  readonly sizeBytes: number;
  readonly pages: readonly TruePage[];
}

export interface TruePage {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly hash: string;
}

/** Every share has it, with blocks of its own at the same offsets. */
export interface TruePack {
  readonly chain: number;
  readonly stream: Stream;
  readonly pack: number;
  readonly shape: Shape;
  /** One behind the other, from the beginning. */
  readonly blocks: readonly TrueBlock[];
  /** Not when a page that names blocks of it is lost. */
  readonly isWhole: boolean;
}

export interface TrueBlock {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** n SHA-256 hashes, 32 bytes each, share 0 first. */
  readonly blockHashes: Uint8Array;
}

/** @throws MirrorError NO_SOURCE when no place has a head of ours, or a ledger that it names */
export async function readTruth(
  places: readonly Place[],
  { mirror, key, signal }: TruthOptions,
): Promise<Truth> {
  const copies = await allOver(places.map((place) => readHead(place, { mirror, key, signal })));
  const newest = chooseHead(copies.filter((copy) => copy !== undefined));
  if (newest === undefined) {
    const what = `${mirror}: neither the publication nor a host has a head that this key signed`;
    throw new MirrorError("NO_SOURCE", `${what}: nothing was published, or all is lost`);
  }
  const { head, bytes } = newest;
  const chains: TrueChain[] = [];
  for (const reference of head.ledgers) {
    chains.push(await readChain(places, head.session, reference, signal));
  }
  const keyBytes = Buffer.from(`${formatVerifierKey(key.verifier)}\n`);
  return { head, headBytes: bytes, keyBytes, chains };
}

/** What stands where a head should; undefined when nothing of a head's size does. */
export async function readHeadBytes(
  place: Place,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const sizeBytes = (await place.size(HEAD_PATH, signal)) ?? 0;
  if (sizeBytes === 0 || sizeBytes > HEAD_MAX_BYTES) return undefined;
  return place.read(HEAD_PATH, { offset: 0, sizeBytes }, signal);
}

export interface TruthOptions {
  readonly mirror: string;
  readonly key: SigningKey;
  readonly signal: AbortSignal;
}

/** Tables of all sets that have files of their own. */
export function listTables({ head, chains }: Truth): TrueTable[] {
  const tables: TrueTable[] = [];
  for (const line of chains.flatMap(({ lines }) => lines)) {
    for (const table of TABLES) {
      const written = line[table];
      if (written === undefined || written.kind === "inline" || written.pages.length === 0)
        continue;
      const path = tablePath(table, head.session, line.set);
      const pages = placePages(path, written.pages);
      const sizeBytes = pages.reduce((sum, page) => sum + page.sizeBytes, 0);
      tables.push({ path, sizeBytes, pages });
    }
  }
  return tables;
}

/** The pages of a table lie one after the other. */
function placePages(
  path: string,
  pages: readonly Pick<TruePage, "sizeBytes" | "hash">[],
): TruePage[] {
  let end = 0;
  return pages.map(({ sizeBytes, hash }) => {
    const offset = end;
    end += sizeBytes;
    return { path, offset, sizeBytes, hash };
  });
}

/** The page from the first place that has it; undefined when none has. */
export async function readPage(
  places: readonly Place[],
  { path, offset, sizeBytes, hash }: TruePage,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const check = (bytes: Uint8Array) => (hashPage(bytes) === hash ? bytes : undefined);
  return findCopy(places, { path, range: { offset, sizeBytes } }, check, signal);
}

/** All packs, chain by chain and stream by stream. */
export async function* readPacks(
  truth: Truth,
  places: readonly Place[],
  signal: AbortSignal,
): AsyncGenerator<TruePack> {
  for (const chain of truth.chains) {
    for (const stream of STREAMS) {
      yield* readSeries(chain, { truth, stream, places, signal });
    }
  }
}

/** The packs of one stream of a chain: the files of its sets lie in them one after the other. */
async function* readSeries(chain: TrueChain, from: ReadFrom): AsyncGenerator<TruePack> {
  const { stream } = from;
  let draft: (Omit<TruePack, "isWhole"> & { readonly blocks: TrueBlock[] }) | undefined;
  let isWhole = true;
  for await (const { shape, file } of readChainFiles(chain, from)) {
    isWhole &&= file !== undefined;
    // Of an empty file nothing lies anywhere.
    if (file === undefined || file.blocks.length === 0) continue;
    if (draft !== undefined && draft.pack !== file.pack) {
      yield { ...draft, isWhole };
      draft = undefined;
    }
    draft ??= { chain: chain.chain, stream, pack: file.pack, shape, blocks: [] };
    draft.blocks.push(...file.blocks);
  }
  if (draft !== undefined) yield { ...draft, isWhole };
}

export function endOf({ blocks }: TruePack): number {
  const last = blocks.at(-1);
  return last === undefined ? 0 : last.offset + last.sizeBytes;
}

interface HeadCopy {
  readonly head: Head;
  readonly bytes: Uint8Array;
  readonly isOwn: boolean;
}

async function readHead(
  place: Place,
  { mirror, key, signal }: TruthOptions,
): Promise<HeadCopy | undefined> {
  const bytes = await readHeadBytes(place, signal);
  if (bytes === undefined) return undefined;
  const head = openOwnHead(bytes, key);
  return head?.mirror === mirror ? { head, bytes, isOwn: place.isPublication } : undefined;
}

/** The newest of the publication's session; without that, of the session that was published last. */
function chooseHead(copies: readonly HeadCopy[]): HeadCopy | undefined {
  const byAge = copies.toSorted((a, b) => b.head.publishedAt - a.head.publishedAt);
  const session = (byAge.find(({ isOwn }) => isOwn) ?? byAge[0])?.head.session;
  const ofSession = byAge.filter(({ head }) => head.session === session);
  return ofSession.toSorted((a, b) => b.head.generation - a.head.generation)[0];
}

async function readChain(
  places: readonly Place[],
  session: string,
  { chain, sizeBytes, lastLineHash }: LedgerReference,
  signal: AbortSignal,
): Promise<TrueChain> {
  const path = ledgerPath(session, chain);
  const check = (bytes: Uint8Array): TrueChain | undefined => {
    const lines = joinIfGood(bytes, lastLineHash);
    return lines && { chain, ledgerPath: path, ledgerBytes: bytes, lines };
  };
  const found = await findCopy(places, { path, range: { offset: 0, sizeBytes } }, check, signal);
  if (found !== undefined) return found;
  const what = "neither the publication nor a host that answers has the ledger whole";
  throw new MirrorError("NO_SOURCE", `${path}: ${what}`);
}

function joinIfGood(bytes: Uint8Array, last: string): LedgerLine[] | undefined {
  try {
    return joinLedger({ bytes, previous: FIRST_LINE_PREVIOUS, last });
  } catch (error) {
    if (isMirrorError(error, "LEDGER_INVALID")) return undefined;
    throw error;
  }
}

interface ReadFrom {
  readonly truth: Truth;
  readonly stream: Stream;
  readonly places: readonly Place[];
  readonly signal: AbortSignal;
}

/** Where the blocks of a coded file lie. */
type FileBlocks = Pick<TruePack, "pack" | "blocks">;

/** `file` is undefined for all files of a page that no place has any more. */
async function* readChainFiles(
  { lines }: TrueChain,
  from: ReadFrom,
): AsyncGenerator<{ readonly shape: Shape; readonly file: FileBlocks | undefined }> {
  for (const line of lines) {
    const { shape } = line;
    for await (const page of readTable(line, from)) {
      const files = page === undefined ? [undefined] : await readFiles(page, shape);
      for (const file of files) yield { shape, file };
    }
  }
}

async function readFiles(page: Uint8Array, shape: Shape): Promise<FileBlocks[]> {
  return decodeFileTable(await unpackPage(page), shape).map((file) => {
    const offsets = stripeOffsets(file, shape);
    const blocks = file.stripes.map(({ storedSizeBytes, blockHashes }, at) => {
      const sizeBytes = blockSize(storedSizeBytes, shape.k);
      return { offset: offsets[at] ?? 0, sizeBytes, storedSizeBytes, blockHashes };
    });
    return { pack: file.pack, blocks };
  });
}

async function* readTable(
  line: LedgerLine,
  { truth, stream, places, signal }: ReadFrom,
): AsyncGenerator<Uint8Array | undefined> {
  const table = line[stream];
  if (table.kind === "inline") {
    yield table.bytes;
    return;
  }
  const path = tablePath(stream, truth.head.session, line.set);
  for (const page of placePages(path, table.pages)) yield await readPage(places, page, signal);
}
