/**
 * The tables of published sets: their pages are fetched and checked ahead, and then read without
 * waiting. Many pages spill into a folder that lives as long as the cycle.
 */
import { readFileIfPresent, writeNewFile } from "../disk/files.js";
import { formatSetName } from "../duplicity/names.js";
import { MirrorError } from "../errors.js";
import type { LedgerLine, PageReference, Table } from "../manifest/ledger.js";
import { STREAMS, tablePath } from "../manifest/paths.js";
import { hashPage, unpackPage } from "../manifest/table.js";
import { readDocument } from "../retrieve/document.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import type { KeptPages } from "./kept-pages.js";
import { EVERY_PAGE, type PageChoice } from "./page-choice.js";

export interface TableStoreOptions {
  readonly pool: SourcePool;
  readonly session: string;
  /** An empty folder for pages that memory should not hold. */
  readonly spillFolder: string;
  /** Where pages are that an earlier cycle fetched, and those go that this one does. */
  readonly kept?: KeptPages | undefined;
  /**
   * The pages of the contents of an encrypted set, unpacked; the tables of its files are in `tables`.
   * @throws MirrorError CONFIG_INVALID, DECRYPTION_FAILED, FORMAT_INVALID
   */
  readonly describe: (
    line: LedgerLine,
    tables: TableStore,
    signal: AbortSignal,
  ) => AsyncIterable<Uint8Array>;
}

export type TableName = "volumes" | "records" | "contents";

export class TableStore {
  readonly #options: TableStoreOptions;
  /** Unpacked pages by table path and number; `undefined` when spilled. */
  readonly #pages = new Map<string, Uint8Array | undefined>();
  /** Contents made here: how many pages, by table path. */
  readonly #described = new Map<string, number>();
  #heldBytes = 0;

  constructor(options: TableStoreOptions) {
    this.#options = options;
  }

  /**
   * Fetches those pages of a table that `isWanted` and are not here yet.
   * @throws MirrorError NO_SOURCE, DOCUMENT_INVALID
   */
  async prepare(
    line: LedgerLine,
    name: TableName,
    isWanted: PageChoice,
    signal: AbortSignal,
  ): Promise<void> {
    const table = line[name];
    const path = tablePath(name, this.#options.session, line.set);
    if (table === undefined) {
      await this.#describe(line, path, signal);
      return;
    }
    if (table.kind === "inline") {
      const key = pageKey(path, 0);
      if (!this.#pages.has(key)) this.#keep(key, await unpackPage(table.bytes));
      return;
    }
    let run: LocatedPage[] = [];
    for (const located of locatePages(table)) {
      const isWantedNow =
        !this.#pages.has(pageKey(path, located.number)) &&
        isWanted(located.page, table.pages[located.number + 1]);
      const isNeeded = isWantedNow && !(await this.#takeKept(path, located));
      if (
        run.length > 0 &&
        (!isNeeded || runSize(run) + located.page.sizeBytes > RANGE_MAX_BYTES)
      ) {
        await this.#fetch(path, run, signal);
        run = [];
      }
      if (isNeeded) run.push(located);
    }
    if (run.length > 0) await this.#fetch(path, run, signal);
  }

  /** The unpacked pages of a table that are here, in order; of a paged one those that `isWanted`. */
  *pages(
    line: LedgerLine,
    name: TableName,
    isWanted: PageChoice = EVERY_PAGE,
  ): Generator<Uint8Array> {
    const table = line[name];
    const path = tablePath(name, this.#options.session, line.set);
    const count = this.#pageCount(table, path);
    const references = table?.kind === "paged" ? table.pages : [];
    for (let number = 0; number < count; number++) {
      const reference = references[number];
      if (reference !== undefined && !isWanted(reference, references[number + 1])) continue;
      const page = this.#page(path, number);
      if (page !== undefined) yield page;
    }
  }

  /** The unpacked page `number` of a table. */
  page(line: LedgerLine, name: TableName, number: number): Uint8Array {
    const page = this.#page(tablePath(name, this.#options.session, line.set), number);
    if (page !== undefined) return page;
    throw new MirrorError(
      "DOCUMENT_INVALID",
      `${name} of ${formatSetName(line.set)}: page ${number} is needed but no entry said so`,
    );
  }

  #page(path: string, number: number): Uint8Array | undefined {
    const key = pageKey(path, number);
    if (!this.#pages.has(key)) return undefined;
    return this.#pages.get(key) ?? readFileIfPresent(this.#spillFile(key));
  }

  #pageCount(table: Table | undefined, path: string): number {
    if (table === undefined) return this.#described.get(path) ?? 0;
    return table.kind === "inline" ? 1 : table.pages.length;
  }

  /** Contents that are not published are made here, from the set itself. */
  async #describe(line: LedgerLine, path: string, signal: AbortSignal): Promise<void> {
    if (this.#described.has(path)) return;
    for (const name of STREAMS) {
      await this.prepare(line, name, () => true, signal);
    }
    let count = 0;
    for await (const page of this.#options.describe(line, this, signal)) {
      this.#keep(pageKey(path, count), page);
      count += 1;
    }
    this.#described.set(path, count);
  }

  /** Whether the page was kept. */
  async #takeKept(path: string, { page, number }: LocatedPage): Promise<boolean> {
    const packed = this.#options.kept?.find(page.hash);
    if (packed === undefined) return false;
    this.#keep(pageKey(path, number), await unpackPage(packed));
    return true;
  }

  async #fetch(path: string, run: readonly LocatedPage[], signal: AbortSignal): Promise<void> {
    const offset = run[0]?.offset ?? 0;
    const pages = await readDocument(this.#options.pool, {
      path,
      range: { offset, sizeBytes: runSize(run) },
      check: (bytes) =>
        Promise.all(
          run.map(async (located) => {
            const packed = checkedPage(path, located, bytes, offset);
            return { located, packed, unpacked: await unpackPage(packed) };
          }),
        ),
      signal,
    });
    for (const { located, packed, unpacked } of pages) {
      this.#options.kept?.keep(located.page.hash, packed);
      this.#keep(pageKey(path, located.number), unpacked);
    }
  }

  #keep(key: string, page: Uint8Array): void {
    this.#heldBytes += page.length;
    if (this.#heldBytes <= MEMORY_MAX_BYTES) {
      this.#pages.set(key, page);
    } else {
      writeNewFile(this.#spillFile(key), page);
      this.#pages.set(key, undefined);
    }
  }

  #spillFile(key: string): string {
    return `${this.#options.spillFolder}/${key.replaceAll("/", "_")}`;
  }
}

interface LocatedPage {
  readonly page: PageReference;
  readonly number: number;
  readonly offset: number;
}

/** Pages are fetched in ranges of about this. */
const RANGE_MAX_BYTES = 4 * 1024 * 1024;
const MEMORY_MAX_BYTES = 32 * 1024 * 1024;

function* locatePages(table: Table & { kind: "paged" }): Generator<LocatedPage> {
  let offset = 0;
  for (const [number, page] of table.pages.entries()) {
    yield { page, number, offset };
    offset += page.sizeBytes;
  }
}

function runSize(run: readonly LocatedPage[]): number {
  return run.reduce((sum, { page }) => sum + page.sizeBytes, 0);
}

function checkedPage(
  path: string,
  { page, number, offset }: LocatedPage,
  bytes: Uint8Array,
  start: number,
): Uint8Array {
  const found = bytes.subarray(offset - start, offset - start + page.sizeBytes);
  if (hashPage(found) === page.hash) return found;
  throw new MirrorError("DOCUMENT_INVALID", `${path}: page ${number} is not what the ledger says`);
}

function pageKey(path: string, number: number): string {
  return `${path}.${number}`;
}
