import type { Shape } from "../erasure/shape.js";
import { type CodedFile, encodeFileTable } from "../manifest/file-table.js";
import type { Table } from "../manifest/ledger.js";
import { TableWriter, type TableWriterOptions } from "./table-writer.js";

/** Writes the table of a set's coded files, in pages. */
export class FileTableWriter {
  readonly #writer: TableWriter;
  readonly #shape: Shape;
  #page: CodedFile[] = [];
  #pageSizeBytes = 0;

  constructor(file: string, options: TableWriterOptions & { readonly shape: Shape }) {
    this.#writer = new TableWriter(file, options);
    this.#shape = options.shape;
  }

  async add(file: CodedFile): Promise<void> {
    const sizeBytes = file.stripes.length * this.#shape.n * HASH_BYTES;
    const isFull = this.#pageSizeBytes + sizeBytes > PAGE_TARGET_BYTES;
    if (isFull || this.#page.length >= PAGE_FILES) await this.#flush();
    this.#page.push(file);
    this.#pageSizeBytes += sizeBytes;
  }

  async finish(): Promise<Table> {
    await this.#flush();
    return this.#writer.finish();
  }

  async #flush(): Promise<void> {
    const [first] = this.#page;
    if (first === undefined) return;
    await this.#writer.add(encodeFileTable(this.#page, this.#shape), `${first.number}`);
    this.#page = [];
    this.#pageSizeBytes = 0;
  }
}

/** A replica that needs one volume reads one page: small, but not so small that a full set has thousands. */
const PAGE_FILES = 64;
const PAGE_TARGET_BYTES = 1024 * 1024;
const HASH_BYTES = 32;
