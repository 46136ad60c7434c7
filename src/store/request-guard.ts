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
 * Watches one request, and aborts its `signal` with SOURCE_TIMEOUT when a connection does not come about, when
 * it takes too long to begin, stalls, drips, or takes too long altogether. Time is counted in ticks: while
 * this process itself is busy no tick passes, so that a source is not blamed for it.
 */
export class RequestGuard {
  readonly signal: AbortSignal;
  readonly #abort: ReturnType<typeof linkAbort>;
  readonly #what: string;
  readonly #limits: SourceLimits;
  readonly #waitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Ticks of all phases, in milliseconds. */
  #spentMs = 0;
  /** Bytes received in each of the last ticks of the phase, the oldest first. */
  #window: number[] = [];
  #tickBytes = 0;

  constructor(options: GuardOptions) {
    const { limits, what, waitMs = 0, signal } = options;
    this.#abort = linkAbort(signal);
    this.signal = this.#abort.signal;
    this.#what = what;
    this.#limits = limits;
    this.#waitMs = waitMs;
    this.connecting();
  }

  /** A request begins, or the next one after a redirect: it needs a connection. */
  connecting(): void {
    const { connectMs } = this.#limits;
    this.#enter(connectMs, () => this.#fail(`no connection after ${connectMs} ms`));
  }

  /** The connection stands and the request is on its way: from now on the source may think. */
  connected(): void {
    const limitMs = this.#limits.firstByteMs + this.#waitMs;
    this.#enter(limitMs, () => this.#fail(`no answer after ${limitMs} ms`));
  }

  /** The answer has begun: from now on bytes must flow. */
  answered(): void {
    this.#enter(this.#limits.idleMs, () => this.#checkSpeed());
  }

  received(sizeBytes: number): void {
    this.#tickBytes += sizeBytes;
  }

  /** Nobody wants the answer any more. */
  giveUp(): void {
    clearInterval(this.#timer);
    this.#abort.abort(
      new MirrorError("SOURCE_UNREACHABLE", `${this.#what}: the source was closed`),
    );
  }

  /** Must be called when the request is over. */
  end(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#abort.unlink();
  }

  /** `judge` is called once the phase has lasted for `limitMs`, and with every tick that follows. */
  #enter(limitMs: number, judge: () => void): void {
    clearInterval(this.#timer);
    if (this.#isOver || this.signal.aborted) return;
    const totalMs = this.#limits.totalMs + this.#waitMs;
    const tickMs = Math.max(1, Math.min(limitMs, totalMs) / TICKS_PER_WINDOW);
    const ticks = Math.ceil(limitMs / tickMs);
    this.#window = [];
    this.#tickBytes = 0;
    this.#timer = setInterval(() => {
      this.#spentMs += tickMs;
      this.#window.push(this.#tickBytes);
      this.#tickBytes = 0;
      if (this.#spentMs >= totalMs) this.#fail(`not done after ${totalMs} ms`);
      else if (this.#window.length >= ticks) judge();
    }, tickMs);
  }

  #checkSpeed(): void {
    const { idleMs, lowSpeedBytesPerSecond } = this.#limits;
    const bytes = this.#window.reduce((sum, count) => sum + count, 0);
    this.#window.shift();
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
