import { MirrorError } from "../errors.js";
import { linkAbort } from "./linked-abort.js";
import type { SourceLimits } from "./source.js";

export interface GuardOptions {
  readonly limits: SourceLimits;
  /** Named in the error. */
  readonly what: string;
  /** How much longer than usual the answer may take to begin. */
  readonly waitMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Watches one request, and aborts its `signal` with SOURCE_TIMEOUT when it takes too long to begin, stalls,
 * drips, or takes too long altogether. Time is counted in ticks of one timer: while this process itself is
 * busy no tick passes, so that a source is not blamed for it.
 */
export class RequestGuard {
  readonly signal: AbortSignal;
  readonly #abort: ReturnType<typeof linkAbort>;
  readonly #what: string;
  readonly #limits: SourceLimits;
  readonly #timer: NodeJS.Timeout;
  readonly #answerTicks: number;
  readonly #totalTicks: number;
  #ticks = 0;
  /** Bytes received in each of the last ticks, the oldest first; `undefined` until the answer has begun. */
  #window: number[] | undefined;
  #tickBytes = 0;

  constructor(options: GuardOptions) {
    const { limits, what, waitMs = 0, signal } = options;
    this.#abort = linkAbort(signal);
    this.signal = this.#abort.signal;
    this.#what = what;
    this.#limits = limits;
    const tickMs = Math.max(1, limits.idleMs / TICKS_PER_WINDOW);
    this.#answerTicks = Math.ceil((limits.connectMs + limits.idleMs + waitMs) / tickMs);
    this.#totalTicks = Math.ceil((limits.totalMs + waitMs) / tickMs);
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** The answer has begun: from now on bytes must flow. */
  answered(): void {
    this.#window ??= [];
  }

  received(sizeBytes: number): void {
    this.#tickBytes += sizeBytes;
  }

  /** Must be called when the request is over. */
  end(): void {
    clearInterval(this.#timer);
    this.#abort.unlink();
  }

  #tick(): void {
    this.#ticks++;
    const { totalMs } = this.#limits;
    if (this.#ticks >= this.#totalTicks) this.#fail(`not done after ${totalMs} ms`);
    else if (this.#window !== undefined) this.#checkSpeed(this.#window);
    else if (this.#ticks >= this.#answerTicks) this.#fail("no answer in time");
  }

  #checkSpeed(window: number[]): void {
    window.push(this.#tickBytes);
    this.#tickBytes = 0;
    if (window.length < TICKS_PER_WINDOW) return;
    const { idleMs, lowSpeedBytesPerSecond } = this.#limits;
    const bytes = window.reduce((sum, count) => sum + count, 0);
    window.shift();
    if (bytes > 0 && bytes * 1000 >= lowSpeedBytesPerSecond * idleMs) return;
    this.#fail(
      `${bytes} bytes in ${idleMs} ms, at least ${lowSpeedBytesPerSecond} a second expected`,
    );
  }

  #fail(why: string): void {
    clearInterval(this.#timer);
    this.#abort.abort(new MirrorError("SOURCE_TIMEOUT", `${this.#what}: ${why}`));
  }
}

const TICKS_PER_WINDOW = 4;
