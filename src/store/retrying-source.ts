import { setTimeout as sleep } from "node:timers/promises";
import { isMirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import type { Source } from "./source.js";

export interface RetryOptions {
  readonly random: Runtime["random"];
  /** Attempts altogether, the first included. */
  readonly attempts: number;
  /** Before the second attempt; doubled before every further one, less up to half of it at random. */
  readonly delayMs: number;
  /** A source that wants to be left alone for longer is not waited for. */
  readonly restMaxMs: number;
}

/** `source`, asked again when it could not be reached or did not answer in time. */
export function retrying(source: Source, options: RetryOptions): Source {
  return {
    name: source.name,
    url: source.url,
    readHead: (head) => retry(() => source.readHead(head), options, head.signal),
    read: (path, range, read) => retry(() => source.read(path, range, read), options, read.signal),
    get traffic() {
      return source.traffic;
    },
    close: () => source.close(),
  };
}

/** What `attempt` gives, tried again when it failed in a way that may pass. */
export async function retry<T>(
  attempt: () => Promise<T>,
  { random, attempts, delayMs, restMaxMs }: RetryOptions,
  signal: AbortSignal,
): Promise<T> {
  for (let attemptsLeft = attempts - 1, pauseMs = delayMs; ; attemptsLeft--, pauseMs *= 2) {
    let restMs = 0;
    try {
      return await attempt();
    } catch (error) {
      if (attemptsLeft <= 0 || !isMirrorError(error, "SOURCE_UNREACHABLE", "SOURCE_TIMEOUT")) {
        throw error;
      }
      restMs = error.retryAfterMs ?? 0;
      if (restMs > restMaxMs) throw error;
    }
    // A tenth more: `resting` leaves it alone for up to so much longer.
    await pause(Math.max(restMs * 1.1, pauseMs * (1 - random() / 2)), signal);
  }
}

async function pause(forMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(forMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
