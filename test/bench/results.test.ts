import { expect, test } from "vitest";
import { formatResults, parseResults } from "../../bench/support/results.mjs";

const SCENARIOS = [
  { name: "first", title: "The first" },
  { name: "tree-size", title: "What grows" },
];
const FIRST = "Measured today.\n\n- Speed: 2.00 (1.90); promised 3.00: MISSED\n";
const SECOND =
  "Measured then.\n\n### not a section\n\n- Bytes: 411 bytes; promised at most 1.00 kB: kept\n";

test("sections come back as they were written, in the order of the scenarios", () => {
  const sections = new Map([
    ["tree-size", SECOND],
    ["first", FIRST],
  ]);
  const page = formatResults(SCENARIOS, sections);
  expect([...parseResults(page).keys()]).toEqual(["first", "tree-size"]);
  expect(parseResults(page).get("first")).toBe(FIRST);
  expect(formatResults(SCENARIOS, parseResults(page))).toBe(page);
});

test("every promise stands in the first table, the missed ones first", () => {
  const sections = new Map([
    ["tree-size", SECOND],
    ["first", FIRST],
  ]);
  const rows = formatResults(SCENARIOS, sections)
    .split("\n")
    .filter((line) => /kept|MISSED/.test(line) && line.startsWith("|"));
  expect(rows).toEqual([
    "| Speed | 2.00 (1.90) | 3.00 | MISSED | first |",
    "| Bytes | 411 bytes | at most 1.00 kB | kept | tree-size |",
  ]);
});

test("the section of a scenario that is no more is left out", () => {
  const page = formatResults(SCENARIOS, new Map([["gone", FIRST]]));
  expect(page).not.toContain("MISSED");
});
