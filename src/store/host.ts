/** Where a master pushes a publication: a folder that it alone writes. */
import type { ByteRange } from "./source.js";

/**
 * Every step is safe to do twice, and none of them retries. Paths are those of the publication.
 * What was written is only sure to last once `sync` has returned; `replace` is durable by itself.
 */
export interface Host {
  readonly name: string;
  /** Makes the place that the host's files lie in, and what is above it, as needed. */
  make(): Promise<void>;
  /** `undefined` when there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** Writes `bytes` at `offset`, making the file and its folders as needed. */
  write(path: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** Puts `bytes` in the place of the whole file; a reader sees the old or the new. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  sync(path: string): Promise<void>;
  /** @throws MirrorError SOURCE_MISSING, SOURCE_SHORT, SOURCE_TIMEOUT */
  read(path: string, range: ByteRange): Promise<Uint8Array>;
  /** A file that is not there is no failure. */
  remove(path: string): Promise<void>;
}
