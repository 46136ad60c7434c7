/** Bytes per second over all sources: one number, or a list of times of day with theirs. */
import { z } from "zod";
import { constantRate, joinSpans, type Timetable, type TimetableSpan } from "../bytes/timetable.js";
import { list, rate, section, timeOfDay } from "./fields.js";

export function bandwidth() {
  const constant = rate().transform((value) => constantRate(limitOf(value)));
  const times = list(entryFields(), 1).check(checkEntries).transform(toTimetable);
  return z.unknown().transform((value, context): Timetable => {
    const result = (Array.isArray(value) ? times : constant).safeParse(value);
    if (result.success) return result.data;
    context.issues.push(...result.error.issues.map((issue) => ({ ...issue, input: undefined })));
    return z.NEVER;
  });
}

function entryFields() {
  return section({
    from: timeOfDay().exactOptional(),
    to: timeOfDay().exactOptional(),
    rate: rate(),
  });
}

type Entry = z.output<ReturnType<typeof entryFields>>;

function checkEntries({ value, issues }: z.core.ParsePayload<Entry[]>): void {
  const refuse = (number: number, message: string): void => {
    issues.push({ code: "custom", path: [number], message, input: value });
  };
  let usualCount = 0;
  value.forEach(({ from, to }, number) => {
    if ((from === undefined) !== (to === undefined)) {
      refuse(number, "expected both from and to, or neither for the rate of all other times");
    } else if (from === undefined && ++usualCount > 1) {
      refuse(number, "expected one rate for all other times, got another");
    } else if (from !== undefined && from === to) {
      refuse(number, `expected two times that differ, got one`);
    }
  });
}

function toTimetable(entries: readonly Entry[]): Timetable {
  const spans = entries.flatMap(toSpan);
  const usual = entries.find(({ from }) => from === undefined)?.rate;
  const bytesPerSecond = limitOf(usual ?? 0);
  return spans.length === 0 ? constantRate(bytesPerSecond) : joinSpans(spans, bytesPerSecond);
}

function toSpan({ from, to, rate }: Entry): TimetableSpan[] {
  if (from === undefined || to === undefined) return [];
  return [{ fromMinute: from, toMinute: to, bytesPerSecond: limitOf(rate) }];
}

/** `off` is 0. */
function limitOf(bytesPerSecond: number): number | undefined {
  return bytesPerSecond === 0 ? undefined : bytesPerSecond;
}
