/** Pages of tables that were fetched for a build, as they came, until it is at its end: cut off, it fetches none of them again. */
import { makeFolder, removeFile, removeFolder } from "../disk/durable.js";
import { fileIdentity, readFileIfPresent, writeNewFile } from "../disk/files.js";
import { hashPage } from "../manifest/table.js";

/** Under the hash by which the ledger names a page; what is found under it is held against it. */
export class KeptPages {
  readonly #folder: string;
  #hasFolder = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  find(hash: string): Uint8Array | undefined {
    const packed = readFileIfPresent(this.#file(hash));
    if (packed === undefined || hashPage(packed) === hash) return packed;
    // Cut off while it was written.
    removeFile(this.#file(hash));
    return undefined;
  }

  /** @throws MirrorError DISK_SPACE, DISK_FAILED */
  keep(hash: string, packed: Uint8Array): void {
    if (!this.#hasFolder) makeFolder(this.#folder, 0o700);
    this.#hasFolder = true;
    if (fileIdentity(this.#file(hash)) === undefined) writeNewFile(this.#file(hash), packed);
  }

  #file(hash: string): string {
    return `${this.#folder}/${hash}`;
  }
}

export function dropKeptPages(folder: string): void {
  if (fileIdentity(folder) !== undefined) removeFolder(folder);
}
