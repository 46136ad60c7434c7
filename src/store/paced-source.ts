import { setTimeout as sleep } from "node:timers/promises";
import { rateAt, type Timetable } from "../bytes/timetable.js";
import { unlessAborted } from "../disk/unless-aborted.js";
import type { Clock } from "../runtime.js";
import type { Source } from "./source.js";

/** A budget of bytes per second that several sources share, by the local time of day. */
export class Pace {
  readonly #timetable: Timetable;
  readonly #clock: Clock;
  /** Let through, and not yet had its time. */
  #owedBytes = 0;
  #paidAtMs: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(timetable: Timetable, clock: Clock) {
    this.#timetable = timetable;
    this.#clock = clock;
    this.#paidAtMs = clock.monotonicMs();
  }

  /** Resolves when it is `sizeBytes`' turn; those who ask first go first. */
  async wait(sizeBytes: number, signal: AbortSignal): Promise<void> {
    const turn = this.#last.then(() => this.#pass(sizeBytes, signal));
    this.#last = turn.catch(() => undefined);
    await unlessAborted(signal, () => turn);
  }

  async #pass(sizeBytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const rate = this.#rate();
      this.#pay(rate);
      if (rate === undefined) return;
      if (this.#owedBytes === 0) break;
      const restMs = (this.#owedBytes * 1000) / rate;
      await sleep(Math.min(restMs, LOOK_MS), undefined, { signal });
    }
    this.#owedBytes = sizeBytes;
  }

  #rate(): number | undefined {
    const local = new Date(this.#clock.now());
    return rateAt(this.#timetable, local.getHours() * 60 + local.getMinutes());
  }

  /** Takes what the time since the last call was good for off what is owed. */
  #pay(rate: number | undefined): void {
    const nowMs = this.#clock.monotonicMs();
    const paidBytes = rate === undefined ? Infinity : (rate * (nowMs - this.#paidAtMs)) / 1000;
    this.#paidAtMs = nowMs;
    this.#owedBytes = Math.max(0, this.#owedBytes - paidBytes);
  }
}

/** So soon does a change of the rate, or of the clock, take effect. */
const LOOK_MS = 250;

/** `source`, read no faster than `pace` allows; heads are small and not counted. */
export function paced(source: Source, pace: Pace): Source {
  return {
    name: source.name,
    url: source.url,
    readHead: (options) => source.readHead(options),
    read: async (path, range, options) => {
      await pace.wait(range.sizeBytes, options.signal);
      return await source.read(path, range, options);
    },
    get traffic() {
      return source.traffic;
    },
    close: () => source.close(),
  };
}
