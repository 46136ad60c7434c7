import { once } from "node:events";
import { MirrorError } from "../../src/errors.js";
import type {
  ByteRange,
  HeadAnswer,
  HeadOptions,
  ReadOptions,
  Source,
} from "../../src/store/source.js";

/** What becomes of an answer: the bytes, others, a failure, or nothing until the signal fires. */
export type Fault = (
  path: string,
  range: ByteRange,
  bytes: Uint8Array,
  signal: AbortSignal,
) => Uint8Array | Promise<Uint8Array>;

/** Files in memory, read through a fault that the test sets. */
export class MemorySource implements Source {
  readonly name: string;
  readonly url: string;
  readonly files: Map<string, Uint8Array>;
  /** Every range asked for, as `path offset+size`. */
  readonly reads: string[] = [];
  fault: Fault = (_path, _range, bytes) => bytes;
  /** Reads under way, now and at most. */
  active = 0;
  activeMax = 0;
  #bytes = 0;
  #requests = 0;

  constructor(name: string, files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.name = name;
    this.url = `memory:${name}`;
    this.files = new Map(files);
  }

  get traffic(): Source["traffic"] {
    return { bytes: this.#bytes, requests: this.#requests };
  }

  async readHead({ etag, signal }: HeadOptions): Promise<HeadAnswer | undefined> {
    await this.#enter(signal);
    const bytes = this.#file("head");
    if (bytes.length > 4096) throw new MirrorError("SOURCE_INVALID", "the head is too large");
    const current = Buffer.from(bytes).toString("base64");
    return current === etag ? undefined : { bytes, etag: current };
  }

  async read(path: string, range: ByteRange, options: ReadOptions): Promise<Uint8Array> {
    const { signal, watch } = options;
    this.reads.push(`${path} ${range.offset}+${range.sizeBytes}`);
    this.active++;
    watch?.asked();
    this.activeMax = Math.max(this.activeMax, this.active);
    try {
      await this.#enter(signal);
      const end = range.offset + range.sizeBytes;
      const file = this.#file(path);
      if (end > file.length) throw new MirrorError("SOURCE_SHORT", `${path} ends early`);
      const bytes = await this.fault(path, range, file.slice(range.offset, end), signal);
      this.#bytes += bytes.length;
      watch?.received(bytes.length);
      return bytes;
    } finally {
      this.active--;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #enter(signal: AbortSignal): Promise<void> {
    this.#requests++;
    signal.throwIfAborted();
    await Promise.resolve();
  }

  #file(path: string): Uint8Array {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new MirrorError("SOURCE_MISSING", `${path} is not here`);
    return bytes;
  }
}

/** No answer, ever. */
export const blackHole: Fault = async (_path, _range, bytes, signal) => {
  signal.throwIfAborted();
  await once(signal, "abort");
  signal.throwIfAborted();
  return bytes;
};

export const unreachable: Fault = (path) => {
  throw new MirrorError("SOURCE_UNREACHABLE", `${path}: nobody answers`);
};
