/** Cron schedules, by node-cron. */

import cron from "node-cron";
import { quoted } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";
import type { Log } from "../runtime.js";

export interface Schedule {
  /** Milliseconds since the epoch; undefined when the pattern names no time to come. */
  nextRunAt(): number | undefined;
}

/** Calls `run` whenever `pattern` says, until `signal` aborts. @throws MirrorError CONFIG_INVALID */
export function startSchedule(options: {
  readonly pattern: string;
  readonly run: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Schedule {
  const { pattern, run, log, signal } = options;
  checkSchedule(pattern);
  if (signal.aborted) return { nextRunAt: () => undefined };
  const tell = (message: string | Error): void =>
    log.debug("schedule.note", { message: String(message) });
  const task = cron.schedule(pattern, () => run(), {
    logger: { info: tell, warn: tell, error: tell, debug: tell },
    suppressMissedWarning: true,
  });
  signal.addEventListener("abort", () => void task.destroy(), { once: true });
  return { nextRunAt: () => task.getNextRun()?.getTime() };
}

/** @throws MirrorError CONFIG_INVALID */
export function checkSchedule(pattern: string, where = "schedule"): void {
  const { valid, errors } = cron.validateDetailed(pattern);
  if (valid) return;
  const why = errors.map((error) => error.message).join("; ");
  throw new MirrorError("CONFIG_INVALID", `${where}: ${quoted(pattern)}: ${why}`);
}
