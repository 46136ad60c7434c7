/** Values of options, as people write them. */
import { parseDuration, parseSize } from "../bytes/units.js";
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

/** rsync's spelling: a plain number is KiB per second. @throws MirrorError USAGE */
export function rate(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1024) : parseSize(text);
  if (bytes === undefined || !Number.isSafeInteger(bytes))
    throw wrong(option, "a rate such as 10MiB", text);
  return bytes === 0 ? undefined : bytes;
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
