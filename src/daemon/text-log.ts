/** A log for people and the journal: `event=cycle.done mirror=pub sets=3`. */
import { quoted } from "../bytes/quoted.js";
import type { Log, LogFields } from "../runtime.js";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface TextLogOptions {
  readonly level: LogLevel;
  /** What stands before the event: the level for a terminal, syslog's level for the journal (sd-daemon(3)). */
  readonly prefix: "level" | "syslog";
  /** Takes one line with its LF. */
  readonly write: (line: string) => void;
}

export function createTextLog(options: TextLogOptions): Log {
  const prefixes = options.prefix === "syslog" ? SYSLOG_PREFIXES : LEVEL_PREFIXES;
  const from = LEVELS.indexOf(options.level);
  const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
    if (LEVELS.indexOf(level) < from) return;
    options.write(`${prefixes[level]}${formatEvent(event, fields)}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const LEVEL_PREFIXES: Readonly<Record<LogLevel, string>> = {
  debug: "debug: ",
  info: "info: ",
  warn: "warning: ",
  error: "error: ",
};

const SYSLOG_PREFIXES: Readonly<Record<LogLevel, string>> = {
  debug: "<7>",
  info: "<6>",
  warn: "<4>",
  error: "<3>",
};

function formatEvent(event: string, fields?: LogFields): string {
  const all: LogFields = { event, ...fields };
  return Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${quote(String(value))}`)
    .join(" ");
}

/** Quoted where a reader of `key=value` would otherwise stumble, or a terminal be fooled. */
function quote(value: string): string {
  return /^[^\s"=\p{C}]+$/u.test(value) ? value : quoted(value);
}
