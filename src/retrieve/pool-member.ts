import PQueue from "p-queue";
import { isMirrorError, MirrorError } from "../errors.js";
import {
  RETRY_ATTEMPTS,
  RETRY_DELAY_MS,
  RETRY_REST_MAX_MS,
  SOURCE_REQUESTS_MAX,
} from "../limits.js";
import type { Runtime } from "../runtime.js";
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
  readonly #watch: ReadWatch = {
    asked: () => undefined,
    received: (sizeBytes) => {
      this.#movedBytes += sizeBytes;
    },
  };
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
    const askedAtMs = this.#runtime.clock.monotonicMs();
    this.#score.began(sizeBytes);
    try {
      return await this.#queue.add(() => {
        wanted.signal.throwIfAborted();
        if (!wanted.isPatient) this.#checkAlive(askedAtMs);
        return this.#timedRead(wanted);
      });
    } finally {
      this.#score.settled(sizeBytes);
    }
  }

  /** Tells that an answer held `blockCount` blocks, or documents, that are not what was published. */
  refuse(wanted: PooledRead, code: string, blockCount: number): void {
    this.#corruptBlocks += blockCount;
    const nowMs = this.#runtime.clock.monotonicMs();
    const wasBanned = this.#score.standing(nowMs) === "banned";
    this.#score.corrupted();
    const fields = { source: this.source.name, path: wanted.path, code, blocks: blockCount };
    const { log } = this.#runtime;
    if (wasBanned) {
      log.debug("share.refused", fields);
      return;
    }
    log.warn("share.refused", fields);
    if (this.#score.standing(nowMs) !== "banned") return;
    log.error("source.banned", { source: this.source.name, corruptBlocks: this.#corruptBlocks });
  }

  /** A read that waited its turn while the source failed is better off elsewhere, at once. */
  #checkAlive(sinceMs: number): void {
    if (!this.#score.failedSince(sinceMs)) return;
    throw new MirrorError("SOURCE_UNREACHABLE", `${this.source.url} has just failed another read`);
  }

  async #timedRead(wanted: PooledRead): Promise<Uint8Array> {
    const { path, range, share, isPatient, signal } = wanted;
    const source = isPatient ? this.#patient : this.source;
    const { clock } = this.#runtime;
    const startMs = clock.monotonicMs();
    const movedBefore = this.#movedBytes;
    try {
      const bytes = await source.read(path, range, { signal, watch: this.#watch });
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
    const nowMs = this.#runtime.clock.monotonicMs();
    this.#errors++;
    this.#logFailure(path, error);
    const untilMs = nowMs + ABSENT_MS;
    if (error.code === "SOURCE_MISSING") {
      this.#absences.set(path, { fromByte: 0, untilMs });
      if (share !== undefined) this.#sharesMissed.set(share, untilMs);
    } else if (error.code === "SOURCE_SHORT") {
      this.#absences.set(path, { fromByte: range.offset + range.sizeBytes, untilMs });
    } else {
      this.#score.failed(startMs, nowMs, error.retryAfterMs);
    }
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
