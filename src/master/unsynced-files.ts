import path from "node:path";
import { syncFile, syncFolder } from "../disk/durable.js";
import { syncFileSystem } from "../programs/sync.js";

/** Files of a publication that were written and must be durable before anything names them. */
export class UnsyncedFiles {
  readonly #publication: string;
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  constructor(publication: string) {
    this.#publication = publication;
  }

  add(file: string): void {
    this.#files.add(file);
    this.#folders.add(path.dirname(file));
  }

  async sync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    // Many files are written back together first, outside of this thread; the fsyncs then find nothing to write.
    if (this.#files.size > FEW_FILES) await syncFileSystem(this.#publication, { signal });
    for (const file of this.#files) syncFile(file);
    for (const folder of this.#folders) syncFolder(folder);
    this.#files.clear();
    this.#folders.clear();
  }
}

const FEW_FILES = 64;
