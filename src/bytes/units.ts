/** Sizes and times as people write them. */

/** `25 MiB`, `1.5 GB`, `4096`: bytes. @returns undefined when malformed, not whole or not below 2^53 */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS, "B");
}

/** `15m`, `1.5 h`, `30d`: milliseconds. @returns undefined when malformed; a unit is required */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATION_UNITS, undefined);
}

/** `25 MiB`, `1.5 KiB`, `17 B` */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let position = 0;
  while (value >= 1023.95 && position < BINARY_UNITS.length - 1) {
    value /= 1024;
    position++;
  }
  const digits = position === 0 || value >= 99.95 ? 0 : 1;
  return `${trimZero(value.toFixed(digits))} ${BINARY_UNITS[position] ?? "B"}`;
}

/** `850ms`, `12.3s`, `4m10s`, `2h5m`, `3d4h`: the two largest units */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)}ms`;
  if (durationMs < 59_950) return `${trimZero((durationMs / SECOND_MS).toFixed(1))}s`;
  if (durationMs < HOUR_MS - SECOND_MS / 2) return twoUnits(durationMs, SECOND_MS, 60, "ms");
  if (durationMs < DAY_MS - MINUTE_MS / 2) return twoUnits(durationMs, MINUTE_MS, 60, "hm");
  return twoUnits(durationMs, HOUR_MS, 24, "dh");
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", SECOND_MS],
  ["m", MINUTE_MS],
  ["h", HOUR_MS],
  ["d", DAY_MS],
  ["w", 7 * DAY_MS],
]);

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["kB", 1e3],
  ["KiB", 2 ** 10],
  ["MB", 1e6],
  ["MiB", 2 ** 20],
  ["GB", 1e9],
  ["GiB", 2 ** 30],
  ["TiB", 2 ** 40],
]);

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

function parseQuantity(
  text: string,
  units: ReadonlyMap<string, number>,
  defaultUnit: string | undefined,
): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,9})?)(?: ?([A-Za-z]{1,3}))?$/.exec(text);
  const [, digits = "", unit = ""] = match ?? [];
  const scale = units.get(unit === "" ? (defaultUnit ?? "") : unit);
  if (match === null || scale === undefined) return undefined;
  const value = Number(digits) * scale;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `durationMs` in a unit of `smallMs` and the one above it, of which `ratio` make one. */
function twoUnits(durationMs: number, smallMs: number, ratio: number, letters: string): string {
  const count = Math.round(durationMs / smallMs);
  const rest = count % ratio;
  const large = `${Math.floor(count / ratio)}${letters.charAt(0)}`;
  return rest === 0 ? large : `${large}${rest}${letters.charAt(1)}`;
}

function trimZero(text: string): string {
  return text.endsWith(".0") ? text.slice(0, -2) : text;
}
