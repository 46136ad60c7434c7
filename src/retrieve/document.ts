import { isMirrorError, MirrorError } from "../errors.js";
import type { ByteRange } from "../store/source.js";
import type { SourcePool } from "./source-pool.js";
import { UnderWay } from "./under-way.js";
import { WatchedRead } from "./watched-read.js";

export interface DocumentRequest<T> {
  readonly path: string;
  readonly range: ByteRange;
  /** Throws a `MirrorError` when the bytes are not what was published: another source is asked then. */
  readonly check: (bytes: Uint8Array) => T | Promise<T>;
  readonly signal: AbortSignal;
}

/**
 * What `check` makes of the first good answer. Sources are asked one after the other, best first; the next one is, too, when
 * one is slow.
 * @throws MirrorError NO_SOURCE when none gave the bytes; what `check` threw when some did and none was good
 */
export async function readDocument<T>(pool: SourcePool, request: DocumentRequest<T>): Promise<T> {
  const search = new DocumentSearch(pool, request);
  try {
    for (const isPatient of [false, true]) {
      const found = await search.askAll(search.candidates(isPatient), isPatient);
      if (found !== undefined) return found.value;
    }
  } finally {
    await search.end();
  }
  throw search.failure();
}

interface Failure {
  /** `refused`: the source gave bytes, and `check` did not want them. */
  readonly kind: "failed" | "refused";
  /** The source's number in the pool. */
  readonly source: number;
  readonly error: MirrorError;
}

interface RunningRead {
  readonly source: number;
  readonly read: WatchedRead;
}

class DocumentSearch<T> {
  readonly #pool: SourcePool;
  readonly #request: DocumentRequest<T>;
  readonly #underWay: UnderWay<RunningRead>;
  readonly #failures: Failure[] = [];
  #found: { readonly value: T } | undefined;

  constructor(pool: SourcePool, request: DocumentRequest<T>) {
    this.#pool = pool;
    this.#request = request;
    this.#underWay = new UnderWay(pool.beat);
  }

  /** All sources, best first; or, patiently, those that may have failed for a moment only. */
  candidates(isPatient: boolean): number[] {
    const { path, range } = this.#request;
    if (!isPatient) return this.#pool.ranked(path, range);
    return this.#failures.filter(({ error }) => isPassing(error)).map(({ source }) => source);
  }

  async askAll(
    candidates: readonly number[],
    isPatient: boolean,
  ): Promise<{ readonly value: T } | undefined> {
    const left = [...candidates];
    while (this.#found === undefined) {
      const [next] = left;
      const { reads } = this.#underWay;
      if (next === undefined && reads.length === 0) return undefined;
      if (next !== undefined && reads.every(({ read }) => read.isSlow)) {
        if (this.#mayBegin(reads)) {
          left.shift();
          this.#begin(next, { isPatient, isSpare: reads.length > 0 });
        }
      }
      await this.#underWay.change();
    }
    return this.#found;
  }

  async end(): Promise<void> {
    await this.#underWay.end();
  }

  failure(): MirrorError {
    return finalError(this.#pool, this.#request.path, this.#failures);
  }

  /** Whether another read may race the slow ones; without the bytes to spare for that, they are given up. */
  #mayBegin(slow: readonly RunningRead[]): boolean {
    for (const { read } of slow) read.blame();
    if (slow.length === 0 || this.#pool.budget.reserve(this.#request.range.sizeBytes)) return true;
    for (const { source, read } of slow) {
      if (read.isGivenUp) continue;
      read.giveUp();
      const error = new MirrorError("SOURCE_TIMEOUT", "slower than the others may be waited for");
      this.#failures.push({ kind: "failed", source, error });
    }
    return false;
  }

  #begin(source: number, how: { readonly isPatient: boolean; readonly isSpare: boolean }): void {
    const { path, range, signal } = this.#request;
    const wanted = { source, path, range, isPatient: how.isPatient };
    const read = new WatchedRead(this.#pool, wanted, { signal, isSpare: how.isSpare });
    this.#underWay.add({ source, read }, this.#read(source, read));
  }

  async #read(source: number, read: WatchedRead): Promise<void> {
    const { path, check, signal } = this.#request;
    let bytes: Uint8Array | undefined;
    try {
      bytes = await read.bytes();
      const value = await check(bytes);
      this.#found ??= { value };
    } catch (error) {
      if (read.isGivenUp) return;
      signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
      const kind = bytes === undefined ? "failed" : "refused";
      this.#failures.push({ kind, source, error });
      if (kind === "refused") this.#pool.member(source).refuse(path, error.code, 1);
    }
  }
}

function isPassing(error: MirrorError): boolean {
  return isMirrorError(error, "SOURCE_UNREACHABLE", "SOURCE_TIMEOUT");
}

function finalError(pool: SourcePool, path: string, failures: readonly Failure[]): MirrorError {
  const nameOf = (source: number): string => pool.member(source).source.name;
  const refused = failures.find(({ kind }) => kind === "refused");
  const told = failures.map(({ source, error }) => `${nameOf(source)}: ${error.message}`);
  const cause = new AggregateError(
    failures.map(({ error }) => error),
    told.join("; "),
  );
  if (refused === undefined) {
    const why = told.length === 0 ? "there are no sources" : told.join("; ");
    return new MirrorError("NO_SOURCE", `no source gives ${path}: ${why}`, { cause });
  }
  const { source, error } = refused;
  return new MirrorError(error.code, `${path} from ${nameOf(source)}: ${error.message}`, { cause });
}
