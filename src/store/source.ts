/** Where published files are read from: anything that holds static files and gives ranges of them. */

export interface Source {
  readonly name: string;
  readonly url: string;
  /**
   * The head: `undefined` when it is unchanged since `etag`. A source may hold its answer back for up to
   * `waitMs` while the head is unchanged, or ignore that. Throws as `read` does.
   */
  readHead(options: HeadOptions): Promise<HeadAnswer | undefined>;
  /**
   * Exactly `range.sizeBytes` bytes from `range.offset` on; what they are is for the caller to check.
   * Never retries, but for the rest of an answer that broke off, and never waits beyond the source's limits.
   * @throws MirrorError SOURCE_MISSING no such file
   * @throws MirrorError SOURCE_SHORT the file ends before the range does
   * @throws MirrorError SOURCE_UNREACHABLE, SOURCE_TIMEOUT no answer, or none in time: may be asked again
   * @throws MirrorError SOURCE_INVALID an answer that does not keep to the protocol
   */
  read(path: string, range: ByteRange, options: ReadOptions): Promise<Uint8Array>;
  readonly traffic: Traffic;
  /** Gives up what is under way. */
  close(): Promise<void>;
}

export interface HeadOptions {
  readonly etag?: string;
  readonly waitMs?: number;
  readonly signal: AbortSignal;
}

export interface HeadAnswer {
  readonly bytes: Uint8Array;
  /** Names this version of the head; opaque. */
  readonly etag?: string;
}

export interface ByteRange {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** When the signal fires, its reason is thrown. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly watch?: ReadWatch;
}

/** Told what becomes of a read while it is under way. */
export interface ReadWatch {
  /** The source has been asked: until now the read waited for its turn. */
  asked(): void;
  /** This much of the answer has come since the last time. */
  received(sizeBytes: number): void;
}

export interface Traffic {
  /** Bytes moved so far, headers included as far as they are known. */
  readonly bytes: number;
  readonly requests: number;
}

/** How long a source may take; each is counted by itself. */
export interface SourceLimits {
  /** Until a connection stands, TLS and all. */
  readonly connectMs: number;
  /** From the request to the beginning of its answer. */
  readonly firstByteMs: number;
  /** Between two pieces of an answer. */
  readonly idleMs: number;
  /** For one request, with all that it takes. */
  readonly totalMs: number;
  /** A source that is slower for `idleMs` is given up. */
  readonly lowSpeedBytesPerSecond: number;
}
