/** What a part of the program may know of the world around it; passed in, never global. */
export interface Runtime {
  readonly clock: Clock;
  readonly log: Log;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  readonly progress: Progress;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A log line is an event with fields. `error`: someone must act; `warn`: it mended itself. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Told of the advance of long work: `done` of `total` units of `phase`; must return at once. */
export type Progress = (phase: string, done: number, total: number) => void;
