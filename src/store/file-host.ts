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
import { HOST_PIECE_BYTES, type Host, type HostContent, type HostOptions } from "./host.js";
import type { ByteRange } from "./source.js";
import { withinTime } from "./time-limit.js";

export class FileHost implements Host {
  readonly name: string;
  readonly #folder: string;
  /** Used again: garbage of this size piles up faster than it is collected. */
  #piece: Uint8Array | undefined;

  /** `folder` need not exist yet. */
  constructor(options: { readonly name: string; readonly folder: string }) {
    this.name = options.name;
    this.#folder = options.folder;
  }

  make(): Promise<void> {
    return promised(() => makeFolder(this.#folder));
  }

  isMade(): Promise<boolean> {
    return promised(() => fileIdentity(this.#folder) !== undefined);
  }

  size(file: string): Promise<number | undefined> {
    return promised(() => fileIdentity(this.#locate(file))?.sizeBytes);
  }

  async put(file: string, content: HostContent, { signal }: HostOptions): Promise<void> {
    signal.throwIfAborted();
    const place = this.#locate(file);
    makeFolder(path.dirname(place));
    this.#piece ??= Buffer.allocUnsafeSlow(HOST_PIECE_BYTES);
    const { sizeBytes, heldBytes } = content;
    for (let offset = heldBytes; offset < sizeBytes; offset += HOST_PIECE_BYTES) {
      const range = { offset, sizeBytes: Math.min(HOST_PIECE_BYTES, sizeBytes - offset) };
      const bytes = await content.read(range, this.#piece);
      signal.throwIfAborted();
      writeAt(place, offset, bytes);
    }
    syncFile(place);
    syncFolder(path.dirname(place));
  }

  replace(file: string, bytes: Uint8Array): Promise<void> {
    const place = this.#locate(file);
    return promised(() => {
      makeFolder(path.dirname(place));
      replaceFile(place, bytes);
    });
  }

  read(
    file: string,
    { offset, sizeBytes }: ByteRange,
    { signal }: HostOptions,
  ): Promise<Uint8Array> {
    const place = this.#locate(file);
    const limit = { limitMs: HOST_READ_MAX_MS, what: place, signal };
    return withinTime(limit, (limited) => readRange(place, offset, sizeBytes, { signal: limited }));
  }

  remove(file: string): Promise<void> {
    return promised(() => removeFile(this.#locate(file)));
  }

  close(): Promise<void> {
    return Promise.resolve();
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
