import { createHash } from "node:crypto";
import path from "node:path";
import { equalBytes } from "../bytes/digest.js";
import { moveFile, removeFile, syncFile, writeAt } from "../disk/durable.js";
import { stripeCount } from "../erasure/stripe.js";
import { MirrorError } from "../errors.js";
import type { CodedFile } from "../manifest/file-table.js";

/** The file that is being put together; everything under another name is whole. */
export const UNFINISHED = ".dupmirror.unfinished";

/** Writes the files of a repository, one after the other, each durable and checked before it gets its name. */
export class RepositoryWriter {
  readonly #folder: string;
  readonly #unfinished: string;
  #hash = createHash("sha256");
  #offset = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#unfinished = path.join(folder, UNFINISHED);
    removeFile(this.#unfinished);
  }

  /** A file's stripes come in order. @throws MirrorError DOCUMENT_INVALID, DISK_SPACE, DISK_FAILED */
  write(file: CodedFile, stripe: number, bytes: Uint8Array): void {
    writeAt(this.#unfinished, this.#offset, bytes);
    this.#hash.update(bytes);
    this.#offset += bytes.length;
    if (stripe === stripeCount(file) - 1) this.#finish(file);
  }

  /** Removes what was not finished. */
  close(): void {
    removeFile(this.#unfinished);
  }

  #finish(file: CodedFile): void {
    if (!equalBytes(this.#hash.digest(), file.hash)) {
      const message = `${file.name}: its blocks are as published, but together they are not the file that was`;
      throw new MirrorError("DOCUMENT_INVALID", message);
    }
    syncFile(this.#unfinished);
    moveFile(this.#unfinished, path.join(this.#folder, file.name));
    this.#hash = createHash("sha256");
    this.#offset = 0;
  }
}
