import PQueue from "p-queue";
import { isMirrorError, MirrorError } from "../errors.js";
import {
  RETRY_ATTEMPTS,
  RETRY_DELAY_MS,
  RETRY_REST_MAX_MS,
  SOURCE_REQUESTS_MAX,
} from "../limits.js";
import type { Runtime } from "../runtime.js";
import { type LinkedAbort, linkAbort } from "../store/linked-abort.js";
import { retrying } from "../store/retrying-source.js";
import type { ByteRange, ReadWatch, Source } from "../store/source.js";
import type { Offer } from "./choose.js";
import { SourceScore } from "./source-score.js";

export interface PooledSource {
  readonly source: Source;
  /** The shares it holds; `undefined` when that is not known, and shows only by asking. */
  readonly shares: readonly number[] | undefined;
}

/** A range of a published file; `share` when the file is a pack of that share. */
export interface PooledRead {
  readonly path: string;
  readonly range: ByteRange;
  readonly share?: number;
  /** Asks again, after a pause, when the source cannot be reached. */
  readonly isPatient: boolean;
  readonly signal: AbortSignal;
  readonly watch: ReadWatch;
}

/** A source in use: what is known of it, and at most SOURCE_REQUESTS_MAX requests to it at once. */
export class PoolMember {
  readonly source: Source;
  readonly #patient: Source;
  readonly #runtime: Runtime;
  readonly #declared: readonly number[] | undefined;
  readonly #score = new SourceScore();
  readonly #queue = new PQueue({ concurrency: SOURCE_REQUESTS_MAX });
  readonly #absences = new Map<string, Absence>();
  readonly #sharesHeld = new Set<number>();
  readonly #sharesMissed = new Map<number, number>();
  readonly #codesLogged = new Set<string>();
  /** Reads that wait for their turn, and would rather go elsewhere when the source fails. */
  readonly #waiting = new Set<LinkedAbort>();
  /** By all reads together. */
  #movedBytes = 0;
  #errors = 0;
  #corruptBlocks = 0;

  constructor({ source, shares }: PooledSource, runtime: Runtime) {
    this.source = source;
    this.#declared = shares;
    this.#runtime = runtime;
    const { random } = runtime;
    const retries = {
      random,
      attempts: RETRY_ATTEMPTS,
      delayMs: RETRY_DELAY_MS,
      restMaxMs: RETRY_REST_MAX_MS,
    };
    this.#patient = retrying(source, retries);
  }

  get errors(): number {
    return this.#errors;
  }

  get corruptBlocks(): number {
    return this.#corruptBlocks;
  }

  /** What reading `range` of the file would cost; `undefined` for a share that is not here by its own word. */
  quote(path: string, range: ByteRange, share?: number): Quote | undefined {
    if (share !== undefined && this.#declared?.includes(share) === false) return undefined;
    const nowMs = this.#runtime.clock.monotonicMs();
    const isAbsent = this.#isAbsent(path, range, nowMs) || this.#lacksShare(share, nowMs);
    return {
      standing: isAbsent ? "absent" : this.#score.standing(nowMs),
      costMs: this.#score.costMs(range.sizeBytes, nowMs),
      msPerByte: this.#score.msPerByte(nowMs),
    };
  }

  /** Throws as the source does, and remembers it. */
  async read(wanted: PooledRead): Promise<Uint8Array> {
    const { sizeBytes } = wanted.range;
    this.#score.began(sizeBytes);
    try {
      return await this.#inTurn(wanted, () => this.#timedRead(wanted));
    } finally {
      this.#score.settled(sizeBytes);
    }
  }

  /** Tells that a read was so slow that another source was asked: `elapsedMs` went by since this one was. */
  outpaced(path: string, why: string, elapsedMs: number): void {
    const error = new MirrorError("SOURCE_TIMEOUT", `${this.source.url}: ${path}: ${why}`);
    this.#countError(path, error);
    this.#setBack(this.#runtime.clock.monotonicMs() - elapsedMs, error);
  }

  /** Tells that an answer held `blockCount` blocks, or documents, that are not what was published. */
  refuse(path: string, code: string, blockCount: number): void {
    this.#corruptBlocks += blockCount;
    const nowMs = this.#runtime.clock.monotonicMs();
    const wasBanned = this.#score.standing(nowMs) === "banned";
    this.#score.corrupted();
    const fields = { source: this.source.name, path, code, blocks: blockCount };
    const { log } = this.#runtime;
    if (wasBanned) {
      log.debug("share.refused", fields);
      return;
    }
    log.warn("share.refused", fields);
    if (this.#score.standing(nowMs) !== "banned") return;
    log.error("source.banned", { source: this.source.name, corruptBlocks: this.#corruptBlocks });
  }

  async #inTurn<T>({ isPatient, signal }: PooledRead, work: () => Promise<T>): Promise<T> {
    const wait = linkAbort(signal);
    if (!isPatient) this.#waiting.add(wait);
    const stopWaiting = (): void => {
      this.#waiting.delete(wait);
      wait.unlink();
    };
    try {
      return await this.#queue.add(
        () => {
          stopWaiting();
          return work();
        },
        { signal: wait.signal },
      );
    } finally {
      stopWaiting();
    }
  }

  async #timedRead(wanted: PooledRead): Promise<Uint8Array> {
    const { path, range, share, isPatient, signal, watch } = wanted;
    const source = isPatient ? this.#patient : this.source;
    const { clock } = this.#runtime;
    const startMs = clock.monotonicMs();
    const movedBefore = this.#movedBytes;
    try {
      const bytes = await source.read(path, range, {
        signal,
        watch: {
          asked: () => watch.asked(),
          received: (sizeBytes) => {
            this.#movedBytes += sizeBytes;
            watch.received(sizeBytes);
          },
        },
      });
      const nowMs = clock.monotonicMs();
      this.#score.succeeded(this.#movedBytes - movedBefore, nowMs - startMs, nowMs);
      if (share !== undefined) this.#sharesHeld.add(share);
      return bytes;
    } catch (error) {
      signal.throwIfAborted();
      if (isMirrorError(error)) this.#failed(wanted, error, startMs);
      throw error;
    }
  }

  #failed({ path, range, share }: PooledRead, error: MirrorError, startMs: number): void {
    this.#countError(path, error);
    const untilMs = this.#runtime.clock.monotonicMs() + ABSENT_MS;
    if (error.code === "SOURCE_MISSING") {
      this.#absences.set(path, { fromByte: 0, untilMs });
      if (share !== undefined) this.#sharesMissed.set(share, untilMs);
    } else if (error.code === "SOURCE_SHORT") {
      this.#absences.set(path, { fromByte: range.offset + range.sizeBytes, untilMs });
    } else {
      this.#setBack(startMs, error);
    }
  }

  /** Reads that wait for a source that just failed are better off elsewhere, at once. */
  #setBack(startMs: number, cause: MirrorError): void {
    this.#score.failed(startMs, this.#runtime.clock.monotonicMs(), cause.retryAfterMs);
    const message = `${this.source.url} has just failed another read`;
    const failure = new MirrorError("SOURCE_UNREACHABLE", message, { cause });
    for (const wait of [...this.#waiting]) wait.abort(failure);
  }

  #countError(path: string, error: MirrorError): void {
    this.#errors++;
    this.#logFailure(path, error);
  }

  /** A source that is down fails every request: it is said once aloud for each way of failing. */
  #logFailure(path: string, { code, message }: MirrorError): void {
    const fields = { source: this.source.name, path, code, message };
    const isOrdinary = code === "SOURCE_MISSING" || this.#codesLogged.has(code);
    this.#codesLogged.add(code);
    if (isOrdinary) this.#runtime.log.debug("source.failed", fields);
    else this.#runtime.log.warn("source.failed", fields);
  }

  #isAbsent(path: string, { offset, sizeBytes }: ByteRange, nowMs: number): boolean {
    const absence = this.#absences.get(path);
    if (absence === undefined) return false;
    if (nowMs < absence.untilMs) return offset + sizeBytes >= absence.fromByte;
    this.#absences.delete(path);
    return false;
  }

  /** Where shares are not declared, a missing pack means a missing share unless another pack of it was read. */
  #lacksShare(share: number | undefined, nowMs: number): boolean {
    if (share === undefined || this.#declared !== undefined) return false;
    return !this.#sharesHeld.has(share) && nowMs < (this.#sharesMissed.get(share) ?? 0);
  }
}

type Quote = Pick<Offer, "standing" | "costMs" | "msPerByte">;

/** Bytes of a file from `fromByte` on that a source was found not to have. */
interface Absence {
  readonly fromByte: number;
  readonly untilMs: number;
}

/** A host that lags behind catches up: it is asked again after this. */
const ABSENT_MS = 60_000;
