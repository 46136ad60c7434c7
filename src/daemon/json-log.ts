/** A log for machines: one JSON object a line, by pino. */
import { pino } from "pino";
import type { Log } from "../runtime.js";
import type { LogLevel } from "./text-log.js";

export function createJsonLog(options: {
  readonly level: LogLevel;
  /** Takes one line with its LF. */
  readonly write: (line: string) => void;
}): Log {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: options.write },
  );
  return {
    debug: (event, fields) => logger.debug({ event, ...fields }),
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
  };
}
