import { setMaxListeners } from "node:events";

/** Aborted when the signal it was linked to is, with the same reason, or by itself. */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  /** Forgets the signal it was linked to; must be called, or that signal keeps this one alive. */
  unlink(): void;
}

/** Cancels a part of some work, and all of that part when the whole is cancelled. */
export function linkAbort(outer: AbortSignal): LinkedAbort {
  const controller = new AbortController();
  // Many requests share one signal: that many listeners are no leak, and node would warn at eleven.
  setMaxListeners(0, outer, controller.signal);
  const onAbort = (): void => controller.abort(outer.reason);
  if (outer.aborted) onAbort();
  else outer.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => outer.removeEventListener("abort", onAbort),
  };
}
