/** Brings hosts to what a head names, in the order of the publication itself: blocks and tables, ledgers, and the head last. */
import path from "node:path";
import { equalBytes } from "../bytes/digest.js";
import { fileIdentity, readRange } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES } from "../limits.js";
import { type Head, parseHead } from "../manifest/head.js";
import type { SigningKey } from "../manifest/keys.js";
import type { LedgerLine } from "../manifest/ledger.js";
import {
  HEAD_PATH,
  KEY_PATH,
  ledgerPath,
  packPath,
  type Stream,
  tablePath,
} from "../manifest/paths.js";
import { openNote } from "../manifest/signed-note.js";
import type { Host } from "../store/host.js";
import { beginFilling, isKnown, readFilled, writeFilled } from "./filled.js";
import { findMissing, type MissingLines } from "./held.js";
import type { Publication } from "./publication.js";
import { FIRST_PACKS, type PackEnd, type PackEnds, readEnds } from "./stream-end.js";

/** A host and the shares it holds. */
export interface ShareHost {
  readonly host: Host;
  readonly shares: readonly number[];
}

export interface PushOptions {
  readonly publication: Publication;
  readonly stateDirectory: string;
  readonly key: SigningKey;
  readonly signal: AbortSignal;
}

/** Copies to the host all that `target` names and the host does not hold. The host's head stays as it is. */
export async function fillHost(
  { host, shares }: ShareHost,
  target: Head,
  options: PushOptions,
): Promise<void> {
  const { publication, stateDirectory, signal } = options;
  await reach(host, stateDirectory);
  const held = readFilled(stateDirectory, host.name) ?? (await readHostHead(host, options));
  const isWhole = held !== undefined && (await hasNewestPacks({ host, shares }, held, options));
  const all = findMissing(publication.chains, target, isWhole ? held : undefined);
  const copier = new Copier(publication.folder, host, signal);
  for (const missing of all) {
    await copyPacks(copier, shares, missing, options);
    await copyTables(copier, publication.session, missing);
    await copier.sync();
    const file = ledgerPath(publication.session, missing.chain.chain);
    await copier.copy(file, missing.fromBytes, missing.toBytes);
    await copier.sync();
  }
  if (all.length > 0) writeFilled(stateDirectory, host.name, target);
}

/** Tells the host's readers of what it was filled with, and by which key they know it. */
export async function announceAt(
  host: Host,
  { key, head }: { readonly key: Uint8Array; readonly head: Uint8Array },
): Promise<void> {
  await putWhole(host, KEY_PATH, key);
  await putWhole(host, HEAD_PATH, head);
}

async function putWhole(host: Host, file: string, bytes: Uint8Array): Promise<void> {
  const sizeBytes = (await host.size(file)) ?? 0;
  if (sizeBytes === bytes.length) {
    const there = await host.read(file, { offset: 0, sizeBytes });
    if (equalBytes(there, bytes)) return;
  }
  await host.replace(file, bytes);
}

/** Copies ranges of files of the publication, and remembers what must be synced. */
class Copier {
  readonly #folder: string;
  readonly #host: Host;
  readonly #signal: AbortSignal;
  readonly #unsynced = new Set<string>();
  #piece: Uint8Array | undefined;

  constructor(folder: string, host: Host, signal: AbortSignal) {
    this.#folder = folder;
    this.#host = host;
    this.#signal = signal;
  }

  /** Bytes from `start` to `end`, or to the end of the file. */
  async copy(file: string, start: number, end: number): Promise<void> {
    const source = path.join(this.#folder, file);
    const last = Math.min(end, fileIdentity(source)?.sizeBytes ?? 0);
    this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (let offset = start; offset < last; offset += PIECE_BYTES) {
      const sizeBytes = Math.min(PIECE_BYTES, last - offset);
      const options = { into: this.#piece, signal: this.#signal };
      const bytes = await readRange(source, offset, sizeBytes, options);
      await this.#host.write(file, offset, bytes);
      this.#unsynced.add(file);
    }
  }

  async sync(): Promise<void> {
    for (const file of this.#unsynced) await this.#host.sync(file);
    this.#unsynced.clear();
  }
}

const PIECE_BYTES = 1024 * 1024;

/**
 * The folder of a new host is made. That of a host we wrote to before is a mount that is missing when it is not there:
 * nothing must be written below it.
 */
async function reach(host: Host, stateDirectory: string): Promise<void> {
  if (!isKnown(stateDirectory, host.name)) {
    await host.make();
    beginFilling(stateDirectory, host.name);
  } else if ((await host.size(".")) === undefined) {
    const what =
      "its folder is not there any more: mount it, or make it if the host is another one";
    throw new MirrorError("SOURCE_UNREACHABLE", `host ${host.name}: ${what}`);
  }
}

/** The host's head when it is one that we signed; any other says nothing of what the host holds. */
async function readHostHead(
  host: Host,
  { publication, key }: PushOptions,
): Promise<Head | undefined> {
  const sizeBytes = await host.size(HEAD_PATH);
  if (sizeBytes === undefined || sizeBytes > HEAD_MAX_BYTES) return undefined;
  const bytes = await host.read(HEAD_PATH, { offset: 0, sizeBytes });
  try {
    const head = parseHead(openNote(bytes, [key.verifier]));
    return head.session === publication.session ? head : undefined;
  } catch (error) {
    if (isMirrorError(error, "SIGNATURE_INVALID", "HEAD_INVALID")) return undefined;
    throw error;
  }
}

/** Whether the last pack of each share and chain is as long as `held` says: a host that was emptied is filled anew. */
async function hasNewestPacks(
  { host, shares }: ShareHost,
  held: Head,
  options: PushOptions,
): Promise<boolean> {
  const { publication } = options;
  for (const { chain, to } of findMissing(publication.chains, held, undefined)) {
    const line = chain.lines[to - 1];
    if (line === undefined) return false;
    const ends = await readEnds(placeOf(publication), line, options);
    for (const share of shares.filter((number) => number < line.shape.n)) {
      const place = { share, session: publication.session, chain: chain.chain };
      if (!(await hasPacks(host, place, ends))) return false;
    }
  }
  return true;
}

async function hasPacks(
  host: Host,
  place: { share: number; session: string; chain: number },
  ends: PackEnds,
): Promise<boolean> {
  for (const stream of STREAMS) {
    const { pack, offset } = ends[stream];
    const sizeBytes = await host.size(packPath({ ...place, stream, pack }));
    if ((sizeBytes ?? 0) < offset) return false;
  }
  return true;
}

const STREAMS = ["volumes", "records"] as const;

async function copyPacks(
  copier: Copier,
  shares: readonly number[],
  missing: MissingLines,
  options: PushOptions,
): Promise<void> {
  const { publication } = options;
  const { chain, from, to } = missing;
  const endsAt = async (line: LedgerLine | undefined) =>
    line === undefined ? FIRST_PACKS : await readEnds(placeOf(publication), line, options);
  const first = await endsAt(chain.lines[from - 1]);
  const last = await endsAt(chain.lines[to - 1]);
  for (const stream of STREAMS) {
    for (const share of shares) {
      const place = { share, session: publication.session, chain: chain.chain, stream };
      await copyPackSeries(copier, place, first[stream], last[stream]);
    }
  }
}

/** A pack that is followed by another is whole; the last one counts up to `last`. */
async function copyPackSeries(
  copier: Copier,
  place: { share: number; session: string; chain: number; stream: Stream },
  first: PackEnd,
  last: PackEnd,
): Promise<void> {
  for (let pack = first.pack; pack <= last.pack; pack++) {
    const start = pack === first.pack ? first.offset : 0;
    const end = pack === last.pack ? last.offset : Number.POSITIVE_INFINITY;
    await copier.copy(packPath({ ...place, pack }), start, end);
  }
}

async function copyTables(
  copier: Copier,
  session: string,
  { chain, from, to }: MissingLines,
): Promise<void> {
  for (const line of chain.lines.slice(from, to)) {
    for (const table of ["volumes", "records", "contents"] as const) {
      const written = line[table];
      if (written === undefined || written.kind === "inline") continue;
      const sizeBytes = written.pages.reduce((sum, page) => sum + page.sizeBytes, 0);
      await copier.copy(tablePath(table, session, line.set), 0, sizeBytes);
    }
  }
}

function placeOf(publication: Publication): { publication: string; session: string } {
  return { publication: publication.folder, session: publication.session };
}

/** Whether the shares that `hosts` hold together are as many as a head needs. @throws MirrorError HOSTS_TOO_FEW */
export function verifyShares(
  hosts: readonly ShareHost[],
  wanted: { readonly k: number; readonly n: number; readonly margin: number },
  failures: readonly string[],
): void {
  const { k, n, margin } = wanted;
  const held = new Set(hosts.flatMap(({ shares }) => shares));
  const needed = Math.min(n, k + margin);
  if (held.size >= needed) return;
  const there = [...held].toSorted((a, b) => a - b).join(", ") || "none";
  throw new MirrorError(
    "HOSTS_TOO_FEW",
    `${held.size} shares of ${n} are at hosts (${there}), ${needed} are needed before the head is published; ` +
      `nothing is lost, the next cycle goes on: ${failures.join("; ")}`,
  );
}
