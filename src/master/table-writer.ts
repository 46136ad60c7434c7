import path from "node:path";
import { makeFolder, truncateFile, writeAt } from "../disk/durable.js";
import { fileIdentity } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { PAGE_STORED_MAX_BYTES } from "../limits.js";
import type { PageReference, Table } from "../manifest/ledger.js";
import { hashPage, packPage } from "../manifest/table.js";
import type { UnsyncedFiles } from "./unsynced-files.js";

export interface TableWriterOptions {
  /** Up to which size a table becomes part of the ledger line. */
  readonly inlineMaxBytes: number;
  readonly unsynced: UnsyncedFiles;
}

/**
 * Writes a table page by page, so that no more than a page is in memory. A table of one small page becomes part of the
 * ledger line; any other is a file, written over what an interrupted cycle left there.
 */
export class TableWriter {
  readonly #file: string;
  readonly #inlineMaxBytes: number;
  readonly #unsynced: UnsyncedFiles;
  readonly #pages: PageReference[] = [];
  #firstPage: Uint8Array | undefined;
  #sizeBytes = 0;

  constructor(file: string, options: TableWriterOptions) {
    this.#file = file;
    this.#inlineMaxBytes = options.inlineMaxBytes;
    this.#unsynced = options.unsynced;
  }

  /** @param first what the page begins with, see PageReference */
  async add(raw: Uint8Array, first: string): Promise<void> {
    if (raw.length > RAW_MAX_BYTES) {
      const what = `a page of ${raw.length} bytes, ${RAW_MAX_BYTES} at most: use smaller volumes`;
      throw new MirrorError("UNSUPPORTED", `${this.#file}: ${what}`);
    }
    const page = await packPage(raw);
    if (this.#pages.length === 0) this.#firstPage = page;
    else this.#write(page);
    this.#pages.push({ sizeBytes: page.length, hash: hashPage(page), first });
  }

  /** The table; durable once the unsynced files are. */
  finish(): Table {
    const page = this.#firstPage;
    const isSmall = page !== undefined && page.length <= this.#inlineMaxBytes;
    if (isSmall) return { kind: "inline", bytes: page };
    this.#writeFirst();
    return { kind: "paged", pages: this.#pages };
  }

  #write(page: Uint8Array): void {
    this.#writeFirst();
    writeAt(this.#file, this.#sizeBytes, page);
    this.#sizeBytes += page.length;
  }

  /** The first page waits until it is clear that the table is a file. */
  #writeFirst(): void {
    const page = this.#firstPage;
    if (page === undefined) return;
    this.#firstPage = undefined;
    makeFolder(path.dirname(this.#file));
    if (fileIdentity(this.#file) !== undefined) truncateFile(this.#file, 0);
    writeAt(this.#file, 0, page);
    this.#sizeBytes = page.length;
    this.#unsynced.add(this.#file);
  }
}

/** Hashes do not compress, so a page must fit as it is, with a few bytes that say how it is packed. */
const RAW_MAX_BYTES = PAGE_STORED_MAX_BYTES - 64;
