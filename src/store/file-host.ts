/** A folder of this machine, or one that is mounted here. */
import path from "node:path";
import {
  makeFolder,
  removeFile,
  replaceFile,
  syncFile,
  syncFolder,
  writeAt,
} from "../disk/durable.js";
import { fileIdentity, readRange } from "../disk/files.js";
import { HOST_READ_MAX_MS } from "../limits.js";
import type { Host } from "./host.js";
import type { ByteRange } from "./source.js";

export class FileHost implements Host {
  readonly name: string;
  readonly #folder: string;

  /** `folder` need not exist yet. */
  constructor(options: { readonly name: string; readonly folder: string }) {
    this.name = options.name;
    this.#folder = options.folder;
  }

  make(): Promise<void> {
    return promised(() => makeFolder(this.#folder));
  }

  size(file: string): Promise<number | undefined> {
    return promised(() => fileIdentity(this.#locate(file))?.sizeBytes);
  }

  write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    const place = this.#locate(file);
    return promised(() => {
      makeFolder(path.dirname(place));
      writeAt(place, offset, bytes);
    });
  }

  replace(file: string, bytes: Uint8Array): Promise<void> {
    const place = this.#locate(file);
    return promised(() => {
      makeFolder(path.dirname(place));
      replaceFile(place, bytes);
    });
  }

  sync(file: string): Promise<void> {
    const place = this.#locate(file);
    return promised(() => {
      syncFile(place);
      syncFolder(path.dirname(place));
    });
  }

  read(file: string, { offset, sizeBytes }: ByteRange): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(HOST_READ_MAX_MS);
    return readRange(this.#locate(file), offset, sizeBytes, { signal });
  }

  remove(file: string): Promise<void> {
    return promised(() => removeFile(this.#locate(file)));
  }

  #locate(file: string): string {
    return path.join(this.#folder, file);
  }
}

/** Done at once, as the disk does it; a failure is the promise's. */
function promised<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(work());
  });
}
