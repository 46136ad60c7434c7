import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../runtime.js";
import type { Source } from "./source.js";

/** A budget of bytes per second that several sources share. */
export class Pace {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  /** When all that was let through has had its time. */
  #freeAtMs = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** Resolves when it is `sizeBytes`' turn; those who ask first go first. */
  async wait(sizeBytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + sizeBytes / this.#bytesPerMs;
    if (startMs <= nowMs) return;
    await sleep(startMs - nowMs, undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }
}

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
