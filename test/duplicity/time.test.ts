import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTime, parseBase36, parseOldTime, parseTime } from "../../src/duplicity/time.js";

describe("formatTime and parseTime", () => {
  it("write and read duplicity's form", () => {
    expect(formatTime(1700000000)).toBe("20231114T221320Z");
    expect(parseTime("20231114T221320Z")).toBe(1700000000);
  });

  it("agree with each other", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253402300799 }), (seconds) => {
        expect(parseTime(formatTime(seconds))).toBe(seconds);
      }),
    );
  });

  it.each([
    "20231114T221320",
    "20231114t221320Z",
    "20231314T221320Z",
    "20230230T221320Z",
    "20231114T241320Z",
    "20231114T226020Z",
    "20231114T221360Z",
    "20231114T221320Z ",
    "2023111T221320Z",
  ])("refuse %j", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });
});

describe("parseOldTime", () => {
  it.each([
    ["2023-11-14T22:13:20Z", 1700000000],
    ["2023-11-14T17:13:20-05:00", 1700000000],
    ["2023-11-14T17_13_20-05_00", 1700000000],
    ["2023-11-15T03:43:20+05:30", 1700000000],
    ["2023-11-14T18:43:20-04:30", 1700000000], // UTC-03:30, as duplicity spells it
  ])("reads %s", (text, seconds) => {
    expect(parseOldTime(text)).toBe(seconds);
  });

  it.each([
    "2023-11-14T17-13-20-05-00",
    "2023-11-14T17:13:20",
    "2023-11-14T17:13:20-05_00",
    "2023-11-14T17:13:20-0500",
    "2023-02-30T17:13:20Z",
    "9999-12-31T23:59:59-01:00",
    "1970-01-01T00:00:00+01:00",
  ])("refuses %j", (text) => {
    expect(parseOldTime(text)).toBeUndefined();
  });
});

describe("parseBase36", () => {
  it("reads the numbers of short names", () => {
    expect(parseBase36("s44we8")).toBe(1700000000);
    expect(parseBase36("s44wh0")).toBe(1700000100);
  });

  it.each(["", "0", "01", "S44WE8", "a.b", "-1", "zzzzzzzzz", "zzzzzzzzzzzz"])(
    "refuses %j",
    (text) => {
      expect(parseBase36(text)).toBeUndefined();
    },
  );
});
