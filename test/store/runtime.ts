import type { LogFields, Runtime } from "../../src/runtime.js";
import type { SourceLimits } from "../../src/store/source.js";

/** A runtime whose log is kept and whose randomness is none. */
export function testRuntime(): Runtime & { readonly lines: string[] } {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (event: string, fields: LogFields = {}) => {
      const told = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
      lines.push([level, event, ...told].join(" "));
    };
  return {
    clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
    log: {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
    },
    random: () => 0.5,
    progress: () => undefined,
    lines,
  };
}

/** Far beyond what any honest answer takes. */
export const PATIENT_LIMITS: SourceLimits = {
  connectMs: 20_000,
  firstByteMs: 20_000,
  idleMs: 20_000,
  totalMs: 60_000,
  lowSpeedBytesPerSecond: 1,
};

/** So that a test of a limit is over soon. */
export const HASTY_LIMITS: SourceLimits = {
  connectMs: 200,
  firstByteMs: 200,
  idleMs: 200,
  totalMs: 5000,
  lowSpeedBytesPerSecond: 1000,
};

export function neverAborted(): AbortSignal {
  return new AbortController().signal;
}
