/** When a read is worth asking for somewhere else too, and how much may be spent on that. Pure. */
import { HEDGE_FREE_BYTES, HEDGE_SHARE } from "../limits.js";
import type { ReadProgress } from "./tempo.js";

export interface Expectation {
  /** How long a source may be silent. */
  readonly patienceMs: number;
  /** How fast other sources send; `undefined` while nobody knows. */
  readonly othersBytesPerMs: number | undefined;
}

/** Whether the read stalls, or drips so that it will surely come sooner from another source. */
export function isSlow(progress: ReadProgress, expected: Expectation): boolean {
  const { sizeBytes, receivedBytes, elapsedMs, silentMs } = progress;
  const { patienceMs, othersBytesPerMs = 0 } = expected;
  if (silentMs >= patienceMs) return true;
  if (elapsedMs < patienceMs || receivedBytes === 0) return false;
  const leftMs = ((sizeBytes - receivedBytes) * elapsedMs) / receivedBytes;
  const anewMs = Math.max(patienceMs, sizeBytes / Math.max(othersBytesPerMs, LEAST_BYTES_PER_MS));
  return leftMs > SOONER_FACTOR * anewMs;
}

/** What is asked for a second time has a request's own delay, and may be slow itself. */
const SOONER_FACTOR = 3;

/** Others are taken to be at least so fast: when all that are asked drip, those that are not asked may be better. */
const LEAST_BYTES_PER_MS = 1;

/** Bytes that were, or may turn out to be, moved in vain: a small part of all, beyond a few that are free. */
export class HedgeBudget {
  #askedBytes = 0;
  #spareBytes = 0;

  /** A read that is not a spare one was begun. */
  asked(sizeBytes: number): void {
    this.#askedBytes += sizeBytes;
  }

  /** Whether a spare read may be begun; if so, `settled` must follow. */
  reserve(sizeBytes: number): boolean {
    const mostBytes = HEDGE_FREE_BYTES + this.#askedBytes * HEDGE_SHARE;
    if (this.#spareBytes + sizeBytes > mostBytes) return false;
    this.#spareBytes += sizeBytes;
    return true;
  }

  /** A spare read of this size is over. */
  settled(sizeBytes: number): void {
    this.#spareBytes -= sizeBytes;
  }

  /** So much came of a read that was given up. */
  wasted(receivedBytes: number): void {
    this.#spareBytes += receivedBytes;
  }
}
