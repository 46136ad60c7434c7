import { expect, test } from "vitest";
import { holdsTime } from "../../src/disk/held-time.js";

test.each([
  [1_700_000_000, 1_700_000_000],
  [2 ** 31 - 1, 2 ** 31],
  [15_032_385_535, 99_999_999_999],
  [-(2 ** 31), -(2 ** 40)],
  [0, -5],
])("a file system may show %d for %d", (held, wanted) => {
  expect(holdsTime(held, wanted)).toBe(true);
});

test.each([
  [1_700_000_000, 1_700_000_001],
  [2 ** 31, 2 ** 31 + 1],
  [2 ** 31 - 1, 1_700_000_000],
  [-(2 ** 31), 0],
  [0, 5],
])("no file system shows %d for %d", (held, wanted) => {
  expect(holdsTime(held, wanted)).toBe(false);
});
