/** How sources went lately, all of them together: what may be expected of a read. Pure. */
import { HEDGE_MIN_MS, HEDGE_START_MS } from "../limits.js";

/** What a read has shown so far. */
export interface ReadProgress {
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  readonly elapsedMs: number;
  readonly silentMs: number;
  readonly longestSilenceMs: number;
}

export class Tempo {
  readonly #silencesMs: number[] = [];
  readonly #bytesPerMs = new Map<number, number>();
  #patienceMs = HEDGE_START_MS;

  /** How long a source may be silent: much longer than nearly all reads were of late. */
  get patienceMs(): number {
    return this.#patienceMs;
  }

  /** How fast a read goes at the sources other than `source`: half of them are faster. */
  rateOfOthers(source: number): number | undefined {
    const rates = [...this.#bytesPerMs].filter(([other]) => other !== source);
    return atRank(
      rates.map(([, rate]) => rate),
      0.5,
    );
  }

  /** Told of reads under way: a source that has become slow is no measure for others. */
  went(source: number, progress: ReadProgress): void {
    if (progress.elapsedMs >= HEDGE_MIN_MS) this.#measure(source, progress);
  }

  /** Told of every read that came to its end. */
  ended(source: number, progress: ReadProgress): void {
    if (progress.receivedBytes >= MEASURED_MIN_BYTES) this.#measure(source, progress);
    this.#silencesMs.push(progress.longestSilenceMs);
    if (this.#silencesMs.length > SILENCES_KEPT) this.#silencesMs.shift();
    const usualMs = atRank(this.#silencesMs, USUAL_RANK) ?? 0;
    this.#patienceMs = Math.max(HEDGE_MIN_MS, PATIENCE_FACTOR * usualMs);
  }

  #measure(source: number, { receivedBytes, elapsedMs }: ReadProgress): void {
    this.#bytesPerMs.set(source, receivedBytes / Math.max(1, elapsedMs));
  }
}

/** The time of a smaller read is its delay. */
const MEASURED_MIN_BYTES = 64 * 1024;

const SILENCES_KEPT = 64;
const USUAL_RANK = 0.9;
const PATIENCE_FACTOR = 3;

/** The value that this part of all lies below. */
function atRank(values: readonly number[], rank: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * rank)];
}
