import { describe, expect, it } from "vitest";
import { joinSpans, parseMinute, parseTimetable, rateAt } from "../../src/bytes/timetable.js";

const EIGHT = 8 * 60;
const KIB = 1024;

describe("parseTimetable", () => {
  it.each([
    ["100", 100 * KIB],
    ["1.5", 1536],
    ["512K", 512 * KIB],
    ["512k", 512 * KIB],
    ["2M", 2 * KIB * KIB],
    ["1G", KIB ** 3],
    ["10MiB", 10 * KIB * KIB],
    ["10 MB", 10_000_000],
    ["0", undefined],
    ["off", undefined],
  ])("reads %j as one rate", (text, bytesPerSecond) => {
    expect(parseTimetable(text)).toStrictEqual([{ minute: 0, bytesPerSecond }]);
  });

  it("reads rclone's timetable, in whatever order", () => {
    const steps = [
      { minute: EIGHT, bytesPerSecond: 512 * KIB },
      { minute: 18 * 60, bytesPerSecond: 10 * KIB * KIB },
      { minute: 23 * 60, bytesPerSecond: undefined },
    ];
    expect(parseTimetable("08:00,512K 18:00,10M 23:00,off")).toStrictEqual(steps);
    expect(parseTimetable("23:00,0;8:00,512  18:00,10MiB")).toStrictEqual(steps);
  });

  it.each([
    "",
    "fast",
    "08:00",
    "08:00,",
    ",10M",
    "24:00,10M",
    "08:60,10M",
    "08:00,10M,1M",
    "08:00,10M:1M",
    "Mon-08:00,10M",
    "08:00,1M 08:00,2M",
    "-1",
    "1e3",
    "9999999999999G",
  ])("refuses %j", (text) => {
    expect(parseTimetable(text)).toBeUndefined();
  });
});

describe("rateAt", () => {
  it("holds each rate until the next one, the last one over midnight", () => {
    const timetable = parseTimetable("08:00,1 18:00,2 23:00,off") ?? [];
    const rates = [0, EIGHT - 1, EIGHT, 1079, 1080, 1379, 1380, 1439].map((minute) =>
      rateAt(timetable, minute),
    );
    expect(rates).toStrictEqual([
      undefined,
      undefined,
      KIB,
      KIB,
      2 * KIB,
      2 * KIB,
      undefined,
      undefined,
    ]);
  });
});

describe("joinSpans", () => {
  const span = (from: string, to: string, bytesPerSecond?: number) => ({
    fromMinute: parseMinute(from) ?? 0,
    toMinute: parseMinute(to) ?? 0,
    bytesPerSecond,
  });

  it.each([
    ["00:00", 3],
    ["05:29", 3],
    ["05:30", 9],
    ["08:00", 1],
    ["11:59", 1],
    ["12:00", 2],
    ["17:59", 2],
    ["18:00", 9],
    ["22:59", 9],
    ["23:00", 3],
  ])("lets the first span that holds at %s count", (time, expected) => {
    const spans = [span("08:00", "12:00", 1), span("08:00", "18:00", 2), span("23:00", "05:30", 3)];
    expect(rateAt(joinSpans(spans, 9), parseMinute(time) ?? 0)).toBe(expected);
  });
});
