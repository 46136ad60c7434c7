/** A folder of this machine, or one that is mounted here. */
import path from "node:path";
import { fileVersion, readRange, streamFile } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES } from "../limits.js";
import { HEAD_PATH } from "../manifest/paths.js";
import type {
  ByteRange,
  HeadAnswer,
  HeadOptions,
  ReadOptions,
  Source,
  SourceLimits,
  Traffic,
} from "./source.js";
import { withinTime } from "./time-limit.js";

export class FileSource implements Source {
  readonly name: string;
  readonly url: string;
  readonly #folder: string;
  readonly #limits: SourceLimits;
  #bytes = 0;
  #requests = 0;

  constructor(options: {
    readonly name: string;
    readonly url: string;
    readonly folder: string;
    readonly limits: SourceLimits;
  }) {
    this.name = options.name;
    this.url = options.url;
    this.#folder = options.folder;
    this.#limits = options.limits;
  }

  get traffic(): Traffic {
    return { bytes: this.#bytes, requests: this.#requests };
  }

  /** Answers at once, whatever `waitMs` says. */
  async readHead({ etag: known, signal }: HeadOptions): Promise<HeadAnswer | undefined> {
    this.#requests++;
    const limit = { limitMs: this.#limits.firstByteMs, what: this.url, signal };
    const etag = await withinTime(limit, () => fileVersion(path.join(this.#folder, HEAD_PATH)));
    if (etag === known) return undefined;
    const bytes = await withinTime(limit, (limited) => this.#readSmall(HEAD_PATH, limited));
    this.#bytes += bytes.length;
    return { bytes, etag };
  }

  async read(
    file: string,
    { offset, sizeBytes }: ByteRange,
    { signal, watch }: ReadOptions,
  ): Promise<Uint8Array> {
    this.#requests++;
    watch?.asked();
    const bytes = Buffer.allocUnsafe(sizeBytes);
    const limit = { limitMs: this.#limits.totalMs, what: `${this.url}: ${file}`, signal };
    await withinTime(limit, async (limited) => {
      for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        await this.#readPiece(file, offset + at, piece, limited);
        watch?.received(piece.length);
      }
    });
    return bytes;
  }

  /** A folder that is mounted here may hang like any other source. */
  async #readPiece(
    file: string,
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    const limit = { limitMs: this.#limits.firstByteMs, what: `${this.url}: ${file}`, signal };
    const place = path.join(this.#folder, file);
    await withinTime(limit, (limited) =>
      readRange(place, offset, into.length, { into, signal: limited }),
    );
    this.#bytes += into.length;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #readSmall(file: string, signal: AbortSignal): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of streamFile(path.join(this.#folder, file), { signal })) {
      sizeBytes += chunk.length;
      if (sizeBytes > HEAD_MAX_BYTES) {
        const message = `${this.url}: ${file} is larger than ${HEAD_MAX_BYTES} bytes`;
        throw new MirrorError("SOURCE_INVALID", message);
      }
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  }
}

/** Read at once; a mount that needs longer than the limits for it is as good as dead. */
const PIECE_BYTES = 1024 * 1024;
