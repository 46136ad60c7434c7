/** Publishes sets of model trees into a folder, with the program's own encoders but without duplicity. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { sha256 } from "../../../src/bytes/digest.js";
import { formatSetName, type Wrapping } from "../../../src/duplicity/names.js";
import type { SetId } from "../../../src/duplicity/set-id.js";
import { formatTime } from "../../../src/duplicity/time.js";
import { blockSize, encodeBlocks } from "../../../src/erasure/codec.js";
import type { Shape } from "../../../src/erasure/shape.js";
import { compressStripe } from "../../../src/erasure/stripe.js";
import { STRIPE_SIZE_BYTES } from "../../../src/limits.js";
import { type ContentsEntry, encodeContentsPage } from "../../../src/manifest/contents.js";
import { describeSet } from "../../../src/manifest/describe-set.js";
import { type CodedFile, encodeFileTable, type Stripe } from "../../../src/manifest/file-table.js";
import { formatHead, type Head, type LedgerReference } from "../../../src/manifest/head.js";
import { makeKeyPair, parseSigningKey } from "../../../src/manifest/keys.js";
import {
  FIRST_LINE_PREVIOUS,
  formatLedgerLine,
  hashLine,
  type LedgerLine,
  type PageReference,
  type Table,
} from "../../../src/manifest/ledger.js";
import { ledgerPath, packPath, tablePath } from "../../../src/manifest/paths.js";
import { signNote } from "../../../src/manifest/signed-note.js";
import { hashPage, packPage } from "../../../src/manifest/table.js";
import { cut } from "../../support/bytes.js";
import { type ArchiveOptions, archiveSet } from "./archive.js";
import type { Model } from "./model.js";

export const KEYS = makeKeyPair("test", new Uint8Array(32).fill(7));
export const MIRROR = "test";
/** Time of the first set, Unix seconds. */
export const FIRST_SET = 1_700_000_000;
export const SESSION = "11111111-2222-4333-8444-555555555555";

export interface PublicationOptions {
  readonly shape?: Shape;
  readonly wrapping?: Exclude<Wrapping, "gpg">;
  readonly archive?: ArchiveOptions;
  /** Entries in a page of contents; tables are then files of their own. */
  readonly pageEntries?: number;
  readonly session?: string;
}

/** A set as it is published, whatever it says. */
export interface RawSet {
  readonly set: SetId;
  readonly entries: readonly ContentsEntry[];
  /** Unwrapped. */
  readonly volumes: readonly Uint8Array[];
  readonly isWithheld?: true;
}

interface Chain {
  readonly chain: number;
  previous: string;
  sizeBytes: number;
  packOffset: number;
  last: { readonly set: SetId; readonly tree: Model };
}

/** Every set is published with a head of its own; `showHead` goes back to the head of an earlier one. */
export class TestPublication {
  readonly folder: string;
  /** The signed heads, one for each set. */
  readonly heads: Uint8Array[] = [];
  readonly sets: SetId[] = [];
  readonly trees: Model[] = [];
  /** A later session of the same mirror goes on counting, as it goes on in time. */
  generation = 0;
  time = FIRST_SET;
  readonly #options: PublicationOptions;
  readonly #chains: Chain[] = [];

  constructor(folder: string, options: PublicationOptions = {}) {
    this.folder = folder;
    this.#options = options;
    mkdirSync(folder, { recursive: true });
  }

  get session(): string {
    return this.#options.session ?? SESSION;
  }

  async addFull(tree: Model): Promise<void> {
    const archived = archiveSet(undefined, tree, this.#options.archive);
    await this.addRaw({ set: this.nextFull(), ...(await describe(archived, false)) }, tree);
  }

  async addIncrement(tree: Model, changes: Pick<RawSet, "isWithheld"> = {}): Promise<void> {
    const { last } = this.#newest();
    const archived = archiveSet(last.tree, tree, this.#options.archive);
    const described = await describe(archived, true);
    await this.addRaw({ set: this.nextIncrement(), ...described, ...changes }, tree);
  }

  nextFull(): SetId {
    return { kind: "full", time: (this.time += 60) };
  }

  nextIncrement(): SetId {
    const { last } = this.#newest();
    return { kind: "increment", from: last.set.time, time: (this.time += 60) };
  }

  /** Publishes a set and the head that names it. */
  async addRaw(raw: RawSet, tree: Model): Promise<void> {
    const chain = raw.set.kind === "full" ? this.#begin(raw.set, tree) : this.#newest();
    const line = await this.#writeSet(chain, raw);
    const bytes = formatLedgerLine(line);
    this.#append(ledgerPath(this.session, chain.chain), bytes);
    chain.previous = hashLine(bytes);
    chain.sizeBytes += bytes.length;
    chain.last = { set: raw.set, tree };
    this.sets.push(raw.set);
    this.trees.push(tree);
    this.publish();
  }

  /** Signs and shows a head of all that was added. */
  publish(changes: Partial<Head> = {}, keys: { readonly signingKey: string } = KEYS): void {
    const { chain, last } = this.#newest();
    const head: Head = {
      mirror: MIRROR,
      session: this.session,
      generation: ++this.generation,
      publishedAt: this.time * 1000,
      expiresAt: this.time * 1000 + 86_400_000,
      newest: { chain, set: last.set },
      ledgers: this.ledgers,
      sources: [],
      ...changes,
    };
    this.heads.push(signNote(formatHead(head), parseSigningKey(keys.signingKey)));
    this.showHead(this.heads.length - 1);
  }

  get ledgers(): LedgerReference[] {
    return this.#chains.map(({ chain, sizeBytes, previous }) => {
      return { chain, sizeBytes, lastLineHash: previous };
    });
  }

  showHead(number: number): void {
    const note = this.heads[number];
    if (note === undefined) throw new RangeError(`no head ${number}`);
    writeFileSync(path.join(this.folder, "head"), note);
  }

  #begin(set: SetId, tree: Model): Chain {
    const begun = { chain: set.time, previous: FIRST_LINE_PREVIOUS, sizeBytes: 0, packOffset: 0 };
    const chain: Chain = { ...begun, last: { set, tree } };
    this.#chains.push(chain);
    return chain;
  }

  #newest(): Chain {
    const chain = this.#chains.at(-1);
    if (chain === undefined) throw new RangeError("no set yet");
    return chain;
  }

  async #writeSet(chain: Chain, raw: RawSet): Promise<LedgerLine> {
    const { set, entries, volumes, isWithheld } = raw;
    const { shape = { k: 2, n: 3 }, pageEntries } = this.#options;
    const files: CodedFile[] = [];
    for (const [at, tar] of volumes.entries()) {
      files.push(await this.#encode(chain, { set, number: at + 1, tar, shape }));
    }
    const filePages = chunks(files, pageEntries).map((page) => ({
      first: String(page[0]?.number ?? 1),
      bytes: encodeFileTable(page, shape),
    }));
    const contents = chunks(entries, pageEntries).map((page) => ({
      first: page[0]?.path ?? "",
      bytes: encodeContentsPage(page),
    }));
    const records = [{ first: "0", bytes: encodeFileTable([], shape) }];
    return {
      previous: chain.previous,
      set,
      manifestHash: hashLine(Buffer.from(formatSetName(set))),
      shape,
      entryCount: entries.length,
      volumes: await this.#table(tablePath("volumes", this.session, set), filePages),
      records: await this.#table(undefined, records),
      contents: await this.#table(tablePath("contents", this.session, set), contents),
      ...(isWithheld === undefined ? {} : { isWithheld }),
    };
  }

  async #table(
    file: string | undefined,
    pages: readonly { readonly first: string; readonly bytes: Uint8Array }[],
  ): Promise<Table> {
    const packed = await Promise.all(pages.map(({ bytes }) => packPage(bytes)));
    const [only] = packed;
    if (only !== undefined && (file === undefined || this.#options.pageEntries === undefined)) {
      return { kind: "inline", bytes: only };
    }
    const references: PageReference[] = packed.map((bytes, at) => ({
      sizeBytes: bytes.length,
      stripeSizeBytes: STRIPE_SIZE_BYTES,
      hash: hashPage(bytes),
      first: pages[at]?.first ?? "",
    }));
    for (const bytes of packed) this.#append(file ?? "", bytes);
    return { kind: "paged", pages: references };
  }

  async #encode(
    chain: Chain,
    volume: {
      readonly set: SetId;
      readonly number: number;
      readonly tar: Uint8Array;
      readonly shape: Shape;
    },
  ): Promise<CodedFile> {
    const { set, number, tar, shape } = volume;
    const wrapping = this.#options.wrapping ?? "plain";
    const bytes = wrapping === "gzip" ? gzipSync(tar) : tar;
    const offset = chain.packOffset;
    const stripes: Stripe[] = [];
    for (const raw of cut(bytes, STRIPE_SIZE_BYTES)) {
      const { compression, stored } = await compressStripe(raw);
      const blocks = await encodeBlocks(stored, shape);
      for (const [share, block] of blocks.entries()) {
        const place = { share, session: this.session, chain: chain.chain, pack: 0 } as const;
        this.#append(packPath({ ...place, stream: "volumes" }), block);
      }
      chain.packOffset += blockSize(stored.length, shape.k);
      const blockHashes = Buffer.concat(blocks.map(sha256));
      stripes.push({ compression, storedSizeBytes: stored.length, blockHashes });
    }
    return {
      name: volumeName(set, number, wrapping),
      role: "volume",
      number,
      wrapping,
      sizeBytes: bytes.length,
      stripeSizeBytes: STRIPE_SIZE_BYTES,
      hash: sha256(bytes),
      pack: 0,
      offset,
      stripes,
    };
  }

  #append(file: string, bytes: Uint8Array): void {
    const place = path.join(this.folder, file);
    mkdirSync(path.dirname(place), { recursive: true });
    appendFileSync(place, bytes);
  }
}

/** Publishes the trees as one chain. */
export async function publishHistory(
  folder: string,
  trees: readonly Model[],
  options: PublicationOptions = {},
): Promise<TestPublication> {
  const publication = new TestPublication(folder, options);
  for (const [at, tree] of trees.entries()) {
    await (at === 0 ? publication.addFull(tree) : publication.addIncrement(tree));
  }
  return publication;
}

async function describe(
  archived: { readonly volumes: readonly Uint8Array[]; readonly signatures: Uint8Array },
  isIncrement: boolean,
): Promise<Omit<RawSet, "set">> {
  const { volumes, signatures } = archived;
  const entries: ContentsEntry[] = [];
  const described = describeSet({
    volumes: later(volumes.map((tar, at) => ({ number: at + 1, chunks: later([tar]) }))),
    signatures: later([signatures]),
    isIncrement,
  });
  for await (const entry of described) entries.push(entry);
  return { entries, volumes };
}

async function* later<T>(values: readonly T[]): AsyncGenerator<T> {
  for (const value of values) yield await Promise.resolve(value);
}

function chunks<T>(values: readonly T[], size: number | undefined): (readonly T[])[] {
  if (size === undefined || values.length === 0) return [values];
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, at) => values.slice(at * size, (at + 1) * size));
}

function volumeName(set: SetId, number: number, wrapping: Wrapping): string {
  const suffix = wrapping === "gzip" ? ".gz" : "";
  const times =
    set.kind === "full"
      ? `full.${formatTime(set.time)}`
      : `inc.${formatTime(set.from)}.to.${formatTime(set.time)}`;
  return `duplicity-${times}.vol${number}.difftar${suffix}`;
}
