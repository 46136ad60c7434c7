/** Rates that change with the time of day. */
import { parseSize } from "./units.js";

/** From a minute of the local day on; the last one of a day holds until the first of the next. */
export interface TimetableStep {
  readonly minute: number;
  /** `undefined`: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
}

/** At least one step, in the order of their minutes. */
export type Timetable = readonly TimetableStep[];

/** From `fromMinute` until `toMinute`, over midnight when that is the smaller one. */
export interface TimetableSpan {
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly bytesPerSecond: number | undefined;
}

export function constantRate(bytesPerSecond: number | undefined): Timetable {
  return [{ minute: 0, bytesPerSecond }];
}

/** @param minute of the local day */
export function rateAt(timetable: Timetable, minute: number): number | undefined {
  const step = timetable.findLast((one) => one.minute <= minute) ?? timetable.at(-1);
  return step?.bytesPerSecond;
}

/** Of spans that meet, the first one counts; outside of all, `usual` does. */
export function joinSpans(spans: readonly TimetableSpan[], usual: number | undefined): Timetable {
  const bounds = spans.flatMap(({ fromMinute, toMinute }) => [fromMinute, toMinute]);
  return [...new Set([0, ...bounds])]
    .sort((a, b) => a - b)
    .map((minute) => {
      const span = spans.find((one) => isWithin(one, minute));
      return { minute, bytesPerSecond: span === undefined ? usual : span.bytesPerSecond };
    });
}

/**
 * `10MiB`, or rsync's `1000` (KiB), or rclone's `08:00,512K 18:00,10M 23:00,off`, each time until the next one.
 * `0` and `off` are no limit.
 * @returns undefined when malformed
 */
export function parseTimetable(text: string): Timetable | undefined {
  const constant = parseRate(text);
  if (constant !== undefined) return constantRate(limitOf(constant));
  const steps: TimetableStep[] = [];
  for (const entry of text.trim().split(/[ ;]+/)) {
    const [time = "", rate = ""] = entry.split(",");
    const minute = parseMinute(time);
    const parsed = parseRate(rate);
    if (minute === undefined || parsed === undefined || entry !== `${time},${rate}`)
      return undefined;
    steps.push({ minute, bytesPerSecond: limitOf(parsed) });
  }
  steps.sort((a, b) => a.minute - b.minute);
  return steps.some(({ minute }, at) => minute === steps[at + 1]?.minute) ? undefined : steps;
}

/** `08:00`, as the minute of the day. @returns undefined when malformed */
export function parseMinute(text: string): number | undefined {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2]);
}

/** Bytes per second; 0 and `off` are 0. A plain number is KiB, and so are the letters of rsync and rclone powers of 1024. */
function parseRate(text: string): number | undefined {
  if (text === "off") return 0;
  const match = /^(\d{1,12}(?:\.\d{1,9})?)([kKmMgG]?)$/.exec(text);
  if (match === null) return parseSize(text);
  const power = ["k", "m", "g"].indexOf((match[2] ?? "").toLowerCase());
  const rate = Math.round(Number(match[1]) * 1024 ** (Math.max(power, 0) + 1));
  return Number.isSafeInteger(rate) ? rate : undefined;
}

function limitOf(bytesPerSecond: number): number | undefined {
  return bytesPerSecond === 0 ? undefined : bytesPerSecond;
}

function isWithin({ fromMinute, toMinute }: TimetableSpan, minute: number): boolean {
  if (fromMinute < toMinute) return minute >= fromMinute && minute < toMinute;
  return minute >= fromMinute || minute < toMinute;
}
