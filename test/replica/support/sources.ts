/** Sources of a test's publications. */

import { MirrorError } from "../../../src/errors.js";
import { SourcePool } from "../../../src/retrieve/source-pool.js";
import { FileSource } from "../../../src/store/file-source.js";
import type {
  ByteRange,
  HeadAnswer,
  HeadOptions,
  ReadOptions,
  Source,
} from "../../../src/store/source.js";
import { testRuntime } from "./bench.js";

const LIMITS = {
  connectMs: 5000,
  firstByteMs: 5000,
  idleMs: 5000,
  totalMs: 5000,
  lowSpeedBytesPerSecond: 0,
};

function fileSource(folder: string): FileSource {
  return new FileSource({ name: folder, url: `file://${folder}`, folder, limits: LIMITS });
}

/** A pool of folders, and what was read from them. */
export function watchedPool(folders: readonly string[]): {
  readonly pool: SourcePool;
  readonly reads: { readonly path: string; readonly range: ByteRange }[];
} {
  const reads: { path: string; range: ByteRange }[] = [];
  const sources = folders.map((folder) => {
    const source = fileSource(folder);
    const read = (path: string, range: ByteRange, options: ReadOptions) => {
      reads.push({ path, range });
      return FileSource.prototype.read.call(source, path, range, options);
    };
    return { source: Object.assign(source, { read }), shares: undefined };
  });
  return { pool: new SourcePool({ sources, runtime: testRuntime() }), reads };
}

/** A source far away that only has a head. */
export class HeadSource implements Source {
  readonly name: string;
  readonly url: string;
  readonly asked: HeadOptions[] = [];
  readonly traffic = { bytes: 0, requests: 0 };
  /** Nothing: it does not answer. */
  head: Uint8Array | undefined;
  etag: string | undefined;

  constructor(name: string, head: Uint8Array | undefined, etag?: string) {
    this.name = name;
    this.url = `https://${name}.example/`;
    this.head = head;
    this.etag = etag;
  }

  readHead(options: HeadOptions): Promise<HeadAnswer | undefined> {
    this.asked.push(options);
    const { head, etag } = this;
    if (head === undefined) {
      return Promise.reject(new MirrorError("SOURCE_UNREACHABLE", `${this.name} is down`));
    }
    if (etag !== undefined && options.etag === etag) return Promise.resolve(undefined);
    return Promise.resolve(etag === undefined ? { bytes: head } : { bytes: head, etag });
  }

  read(path: string): Promise<Uint8Array> {
    return Promise.reject(new MirrorError("SOURCE_MISSING", path));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
