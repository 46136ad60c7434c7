import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../src/bytes/units.js";

describe("sizes", () => {
  test.each([
    ["0", 0],
    ["17", 17],
    ["17 B", 17],
    ["1 kB", 1000],
    ["1KiB", 1024],
    ["3 MB", 3_000_000],
    ["25 MiB", 26_214_400],
    ["1.5 GiB", 1_610_612_736],
    ["2 GB", 2_000_000_000],
    ["8 TiB", 8_796_093_022_208],
    ["0.5 kB", 500],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    "",
    " 1",
    "1 ",
    "-1",
    "+1",
    "1e3",
    "1,5 MB",
    "1.",
    ".5 MB",
    "0.3 B",
    "1 mib",
    "1 MIB",
    "1  MB",
    "1 PB",
    "1 m",
    "9007199254740992",
    "9000 TiB",
    "1 MB 2",
    "0x10",
  ])("%j is none", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [102_297, "99.9 KiB"],
    [102_400, "100 KiB"],
    [1_048_575, "1 MiB"],
    [26_214_400, "25 MiB"],
    [5 * 2 ** 30, "5 GiB"],
    [3000 * 2 ** 40, "3000 TiB"],
  ])("%i bytes are written %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  test("that are whole in their unit are read as they were written", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 0, max: 4 }),
        (count, power) => {
          const sizeBytes = count * 1024 ** power;
          expect(parseSize(formatSize(sizeBytes))).toBe(sizeBytes);
        },
      ),
    );
  });
});

describe("durations", () => {
  test.each([
    ["850ms", 850],
    ["0s", 0],
    ["1.5s", 1500],
    ["15m", 900_000],
    ["1 h", 3_600_000],
    ["30d", 2_592_000_000],
    ["2w", 1_209_600_000],
  ])("%s is %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["", "15", "15 min", "m", "-1s", "1h30m", "0.5ms", "1M", "1 S", "1y"])(
    "%j is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test.each([
    [0, "0ms"],
    [999, "999ms"],
    [999.6, "1s"],
    [1000, "1s"],
    [12_340, "12.3s"],
    [59_949, "59.9s"],
    [59_950, "1m"],
    [250_000, "4m10s"],
    [3_599_499, "59m59s"],
    [3_599_500, "1h"],
    [7_500_000, "2h5m"],
    [86_369_999, "23h59m"],
    [86_370_000, "1d"],
    [273_600_000, "3d4h"],
  ])("%d ms are written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
