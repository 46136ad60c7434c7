/** How well a source serves, judged by what it did lately. Pure: told of every request and of the time. */

/** What speaks against a source: `avoided` passes, `banned` does not. Either is still used when nothing else is left. */
export type Standing = "good" | "avoided" | "banned";

export class SourceScore {
  #latencyMs = 0;
  #msPerByte = 0;
  #measuredAtMs = 0;
  #pendingBytes = 0;
  #pendingCount = 0;
  #failuresInRow = 0;
  #failedAtMs = 0;
  #avoidedUntilMs = 0;
  #corruptReads = 0;

  /** A request was asked for; `settled` must follow. */
  began(sizeBytes: number): void {
    this.#pendingBytes += sizeBytes;
    this.#pendingCount++;
  }

  settled(sizeBytes: number): void {
    this.#pendingBytes -= sizeBytes;
    this.#pendingCount--;
  }

  /** `movedBytes` came within `elapsedMs`, those of other requests that were under way too. */
  succeeded(movedBytes: number, elapsedMs: number, nowMs: number): void {
    this.#failuresInRow = 0;
    this.#avoidedUntilMs = 0;
    this.#forget(nowMs);
    if (movedBytes < SMALL_READ_BYTES) {
      this.#latencyMs += (elapsedMs - this.#latencyMs) * NEWEST_WEIGHT;
      return;
    }
    const sample = Math.max(0, elapsedMs - this.#latencyMs) / movedBytes;
    this.#msPerByte += (sample - this.#msPerByte) * NEWEST_WEIGHT;
  }

  /**
   * The longer a failure took to show, and the more there were in a row, the longer it is not risked again.
   * Requests that were under way together fail for one reason, and count once.
   * @param restMs how long the source wants to be left alone
   */
  failed(startedAtMs: number, nowMs: number, restMs = 0): void {
    if (this.#failuresInRow === 0 || startedAtMs >= this.#failedAtMs) this.#failuresInRow++;
    this.#failedAtMs = nowMs;
    const doublings = Math.min(this.#failuresInRow - 1, 10);
    const elapsedMs = nowMs - startedAtMs;
    const pauseMs = Math.max(AVOID_MIN_MS, elapsedMs * AVOID_FACTOR) * 2 ** doublings;
    const untilMs = nowMs + Math.max(Math.min(pauseMs, AVOID_MAX_MS), restMs);
    this.#avoidedUntilMs = Math.max(this.#avoidedUntilMs, untilMs);
  }

  /** An answer held bytes that are not what was published. */
  corrupted(): void {
    this.#corruptReads++;
  }

  /** A source that failed is tried again with one request, not with all at once. */
  standing(nowMs: number): Standing {
    if (this.#corruptReads >= CORRUPT_READS_MAX) return "banned";
    const isOnTrial = this.#failuresInRow > 0 && this.#pendingCount > 0;
    return isOnTrial || nowMs < this.#avoidedUntilMs ? "avoided" : "good";
  }

  /** Expected time for `sizeBytes` more. What was measured long ago counts little: the source may be better now. */
  costMs(sizeBytes: number, nowMs: number): number {
    const cost = this.#latencyMs + (this.#pendingBytes + sizeBytes) * this.#msPerByte;
    return cost * this.#trust(nowMs);
  }

  msPerByte(nowMs: number): number {
    return this.#msPerByte * this.#trust(nowMs);
  }

  #forget(nowMs: number): void {
    const trust = this.#trust(nowMs);
    this.#latencyMs *= trust;
    this.#msPerByte *= trust;
    this.#measuredAtMs = nowMs;
  }

  #trust(nowMs: number): number {
    return 0.5 ** ((nowMs - this.#measuredAtMs) / HALF_LIFE_MS);
  }
}

/** Below this a request's time is latency, above it is throughput. */
const SMALL_READ_BYTES = 64 * 1024;

const NEWEST_WEIGHT = 0.3;
const HALF_LIFE_MS = 60_000;

/** A source that hangs costs its time limit whenever it is tried: at most a fifth of the time goes there. */
const AVOID_FACTOR = 4;
const AVOID_MIN_MS = 1000;
const AVOID_MAX_MS = 10 * 60_000;

/** One bad sector may be an accident; a source that is wrong so often is broken, or means it. */
const CORRUPT_READS_MAX = 3;
