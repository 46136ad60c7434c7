/** The times in duplicity's file names: whole seconds, in three spellings (duplicity-format 1.2, 1.3). */

/** `20231114T221320Z`. */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

/** Last second of the year 9999: later times have no name. */
export const TIME_MAX = 253_402_300_799;

/** Reads `20231114T221320Z`; undefined when it is none. */
export function parseTime(text: string): number | undefined {
  const fields = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  return fields === null ? undefined : nameable(secondsOf(fields.slice(1)));
}

/** Reads `2023-11-14T17:13:20-05:00`, the separator of hours being any one sign. */
export function parseOldTime(text: string): number | undefined {
  const match = OLD_TIME.exec(text);
  if (match === null) return undefined;
  const [
    ,
    year = "",
    month = "",
    day = "",
    hour = "",
    separator = "",
    minute = "",
    second = "",
    zone = "",
  ] = match;
  const offset = offsetMinutes(zone, separator);
  const local = secondsOf([year, month, day, hour, minute, second]);
  return local === undefined || offset === undefined ? undefined : nameable(local - 60 * offset);
}

/** Reads the base 36 of short names. */
export function parseBase36(text: string): number | undefined {
  const isCanonical = /^[1-9a-z][0-9a-z]{0,8}$/.test(text);
  return isCanonical ? nameable(Number.parseInt(text, 36)) : undefined;
}

function nameable(seconds: number | undefined): number | undefined {
  return seconds !== undefined && seconds >= 0 && seconds <= TIME_MAX ? seconds : undefined;
}

const OLD_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d)([^-+/A-Za-z0-9])(\d\d)\5(\d\d)(.*)$/s;

/** West of Greenwich duplicity adds the minutes too: UTC-03:30 is written -04:30 and means -4 h + 30 min. */
function offsetMinutes(zone: string, separator: string): number | undefined {
  if (zone === "Z") return 0;
  const isOffset = /^[-+]\d\d.\d\d$/s.test(zone) && zone[3] === separator;
  return isOffset ? 60 * Number(zone.slice(0, 3)) + Number(zone.slice(4)) : undefined;
}

function secondsOf(fields: readonly string[]): number | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields.map(Number);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date carries what is too large; a time that changes on the way was none.
  const same =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  return same ? date.getTime() / 1000 : undefined;
}
