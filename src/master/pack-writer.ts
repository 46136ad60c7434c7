import path from "node:path";
import { makeFolder, truncateFile, writeAt } from "../disk/durable.js";
import { fileIdentity } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { PACK_SIZE_BYTES } from "../limits.js";
import { packPath, type Stream } from "../manifest/paths.js";
import type { PackEnd } from "./stream-end.js";
import type { UnsyncedFiles } from "./unsynced-files.js";

/** The packs of one stream of one chain. */
export interface PackSeries {
  readonly publication: string;
  readonly session: string;
  readonly chain: number;
  readonly stream: Stream;
}

/**
 * Appends the blocks of coded files to the packs of all shares, from where the last published file ended. What an
 * interrupted cycle left beyond that is cut off first.
 */
export class PackWriter {
  readonly #series: PackSeries;
  readonly #shareCount: number;
  #pack: number;
  #offset: number;
  #isOpen = false;
  readonly #unsynced: UnsyncedFiles;

  constructor(
    series: PackSeries,
    options: {
      readonly shareCount: number;
      readonly start: PackEnd;
      readonly unsynced: UnsyncedFiles;
    },
  ) {
    const { shareCount, start, unsynced } = options;
    this.#series = series;
    this.#shareCount = shareCount;
    this.#unsynced = unsynced;
    this.#pack = start.pack;
    this.#offset = start.offset;
  }

  /** Where the next file's first block goes: a file never spans packs. */
  beginFile(): PackEnd {
    if (this.#offset >= PACK_SIZE_BYTES) {
      this.#pack += 1;
      this.#offset = 0;
      this.#isOpen = false;
    }
    return this.end;
  }

  get end(): PackEnd {
    return { pack: this.#pack, offset: this.#offset };
  }

  /** One block for each share. */
  append(blocks: readonly Uint8Array[]): void {
    if (!this.#isOpen) this.#open();
    let sizeBytes = 0;
    for (const [share, block] of blocks.entries()) {
      const file = this.#path(share);
      writeAt(file, this.#offset, block);
      this.#unsynced.add(file);
      sizeBytes = block.length;
    }
    this.#offset += sizeBytes;
  }

  #open(): void {
    for (let share = 0; share < this.#shareCount; share++) {
      const file = this.#path(share);
      this.#cut(file);
    }
    this.#isOpen = true;
  }

  #cut(file: string): void {
    const sizeBytes = fileIdentity(file)?.sizeBytes ?? 0;
    if (sizeBytes < this.#offset) {
      throw new MirrorError(
        "REPOSITORY_INVALID",
        `${file}: ${sizeBytes} bytes, the ledger names ${this.#offset}: the publication was damaged; ` +
          "put the file back, or remove the publication's head to begin a new session",
      );
    }
    makeFolder(path.dirname(file));
    if (sizeBytes > this.#offset) truncateFile(file, this.#offset);
  }

  #path(share: number): string {
    const { publication, ...series } = this.#series;
    return path.join(publication, packPath({ ...series, share, pack: this.#pack }));
  }
}
