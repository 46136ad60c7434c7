import { MirrorError } from "../errors.js";
import { linkAbort } from "./linked-abort.js";

export interface TimeLimit {
  readonly limitMs: number;
  /** Named in the error. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** What `work` gives; its signal fires when time is up. @throws MirrorError SOURCE_TIMEOUT */
export async function withinTime<T>(
  { limitMs, what, signal }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const link = linkAbort(signal);
  const timer = setTimeout(() => {
    link.abort(new MirrorError("SOURCE_TIMEOUT", `${what}: not done after ${limitMs} ms`));
  }, limitMs);
  try {
    return await work(link.signal);
  } finally {
    clearTimeout(timer);
    link.unlink();
  }
}
