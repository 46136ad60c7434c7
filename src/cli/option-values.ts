/** Values of options, as people write them. */
import { parseTimetable, type Timetable } from "../bytes/timetable.js";
import { parseDuration } from "../bytes/units.js";
import { type ListenAddress, parseListenAddress } from "../config/fields.js";
import { MirrorError } from "../errors.js";

/** @throws MirrorError USAGE */
export function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw wrong(option, "a whole number", text);
  return Number(text);
}

/** @throws MirrorError USAGE */
export function required(argument: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new MirrorError("USAGE", `expected ${argument}; --help tells how`);
}

/** rsync's spelling, a number of KiB per second, or rclone's timetable. @throws MirrorError USAGE */
export function bandwidth(option: string, text: string | undefined): Timetable | undefined {
  if (text === undefined) return undefined;
  const parsed = parseTimetable(text);
  if (parsed !== undefined) return parsed;
  throw wrong(option, 'a rate such as 10MiB, or a timetable such as "08:00,512K 18:00,off"', text);
}

/** rsync's spelling: a plain number is seconds. @throws MirrorError USAGE */
export function milliseconds(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(/^\d+$/.test(text) ? `${text}s` : text);
  if (ms === undefined || ms <= 0) throw wrong(option, "seconds, or a time such as 2m", text);
  return ms;
}

/** @throws MirrorError USAGE */
export function address(option: string, text: string): ListenAddress {
  const parsed = parseListenAddress(text);
  if (parsed === undefined) throw wrong(option, "HOST:PORT or unix:PATH", text);
  return parsed;
}

function wrong(option: string, expected: string, got: string): MirrorError {
  return new MirrorError("USAGE", `${option}: expected ${expected}, got ${JSON.stringify(got)}`);
}
