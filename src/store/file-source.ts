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
  readonly #limitMs: number;
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
    this.#limitMs = options.limits.totalMs;
  }

  get traffic(): Traffic {
    return { bytes: this.#bytes, requests: this.#requests };
  }

  /** Answers at once, whatever `waitMs` says. */
  async readHead({ etag: known, signal }: HeadOptions): Promise<HeadAnswer | undefined> {
    this.#requests++;
    const limit = { limitMs: this.#limitMs, what: this.url, signal };
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
    const limit = { limitMs: this.#limitMs, what: `${this.url}: ${file}`, signal };
    const place = path.join(this.#folder, file);
    const bytes = await withinTime(limit, (limited) =>
      readRange(place, offset, sizeBytes, { signal: limited }),
    );
    this.#bytes += bytes.length;
    watch?.received(bytes.length);
    return bytes;
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
