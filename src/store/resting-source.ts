import { formatDuration } from "../bytes/units.js";
import { isMirrorError, MirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import type { Source } from "./source.js";

/** Which sources want to be left alone, and until when. Lives longer than the sources, which are opened for each cycle. */
export class Rests {
  readonly #untilMs = new Map<string, number>();

  leftMs(url: string, nowMs: number): number {
    return Math.max(0, (this.#untilMs.get(url) ?? 0) - nowMs);
  }

  extend(url: string, untilMs: number): void {
    this.#untilMs.set(url, Math.max(untilMs, this.#untilMs.get(url) ?? 0));
  }
}

/** `source`, not asked as long as it wants to be left alone: until then it fails at once. */
export function resting(source: Source, rests: Rests, { clock, random }: Runtime): Source {
  const ask = async <T>(request: () => Promise<T>): Promise<T> => {
    const leftMs = rests.leftMs(source.url, clock.monotonicMs());
    if (leftMs > 0) {
      const message = `${source.url} wants to be left alone for ${formatDuration(leftMs)} more`;
      throw new MirrorError("SOURCE_UNREACHABLE", message, { retryAfterMs: leftMs });
    }
    try {
      return await request();
    } catch (error) {
      const restMs = isMirrorError(error) ? error.retryAfterMs : undefined;
      if (restMs !== undefined) {
        // Of many replicas that were told the same, not all shall come back at the same moment.
        rests.extend(source.url, clock.monotonicMs() + restMs * (1 + random() * REST_JITTER));
      }
      throw error;
    }
  };
  return {
    name: source.name,
    url: source.url,
    readHead: (options) => ask(() => source.readHead(options)),
    read: (path, range, options) => ask(() => source.read(path, range, options)),
    get traffic() {
      return source.traffic;
    },
    close: () => source.close(),
  };
}

const REST_JITTER = 0.1;
