/** Where a master pushes a publication: a place that it alone writes. */
import type { ByteRange, ReadOptions, SourceLimits } from "./source.js";

/**
 * Every step is safe to do twice, and none of them retries. Paths are those of the publication. When a promise of a
 * change is kept, the change is durable as far as the host can make it so.
 * @throws MirrorError SOURCE_UNREACHABLE, SOURCE_TIMEOUT may be asked again; SOURCE_INVALID, DISK_SPACE, DISK_FAILED
 */
export interface Host {
  readonly name: string;
  /** Makes the place that the host's files lie in, and what is above it, as needed. */
  make(options: HostOptions): Promise<void>;
  /** Whether that place is there; a host that cannot tell says yes. */
  isMade(options: HostOptions): Promise<boolean>;
  /** `undefined` when there is no such file. */
  size(path: string, options: HostOptions): Promise<number | undefined>;
  /**
   * Makes the file begin with `content`, and makes it and its folders as needed. A host that can append writes only what
   * lies beyond `content.heldBytes`; any other puts the whole file, and its readers see the old or the new.
   */
  put(path: string, content: HostContent, options: HostOptions): Promise<void>;
  /** Puts `bytes` in the place of the whole file; a reader sees the old or the new. */
  replace(path: string, bytes: Uint8Array, options: HostOptions): Promise<void>;
  /** @throws MirrorError SOURCE_MISSING, SOURCE_SHORT */
  read(path: string, range: ByteRange, options: HostOptions): Promise<Uint8Array>;
  /** A file that is not there is no failure. */
  remove(path: string, options: HostOptions): Promise<void>;
  /** Gives up what is under way. */
  close(): Promise<void>;
}

/** When the signal fires, its reason is thrown. */
export type HostOptions = ReadOptions;

/** What a file shall hold. It may be read more than once, from any place. */
export interface HostContent {
  readonly sizeBytes: number;
  /** So many bytes from its beginning the host holds already. */
  readonly heldBytes: number;
  /** The bytes of a range; at the beginning of `into`, if that is given. */
  read(range: ByteRange, into?: Uint8Array): Promise<Uint8Array>;
}

export interface HostLimits extends SourceLimits {
  /** How much longer the answer may take to begin after a whole file was sent. */
  readonly storeMs: number;
}

/** How much of a file is read and written at once. */
export const HOST_PIECE_BYTES = 1024 * 1024;
