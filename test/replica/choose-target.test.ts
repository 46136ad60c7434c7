import { describe, expect, test } from "vitest";
import { formatSetName } from "../../src/duplicity/names.js";
import { chooseTarget, type PublishedSet } from "../../src/replica/choose-target.js";

const FULL = 1_700_000_000;

function increment(from: number, time: number, isWithheld = false): PublishedSet {
  return {
    chain: FULL,
    set: { kind: "increment", from: FULL + from, time: FULL + time },
    isWithheld,
  };
}

/** Of 22:13:20, 22:14:20, 22:15:20 (withheld), and another chain of 22:16:20. */
const SETS: readonly PublishedSet[] = [
  { chain: FULL, set: { kind: "full", time: FULL }, isWithheld: false },
  increment(0, 60),
  increment(60, 120, true),
  { chain: FULL + 180, set: { kind: "full", time: FULL + 180 }, isWithheld: false },
];

const ASKED_BY = { option: "--to", listedBy: "`list`" };

const choose = (wanted: string): string => formatSetName(chooseTarget(SETS, wanted, ASKED_BY).set);

describe("a set to go back to", () => {
  test.each([
    ["full.20231114T221320Z", "full.20231114T221320Z"],
    ["inc.20231114T221320Z.to.20231114T221420Z", "inc.20231114T221320Z.to.20231114T221420Z"],
    ["2023-11-14T22:13:20Z", "full.20231114T221320Z"],
    ["2023-11-14T22:14:19.9Z", "full.20231114T221320Z"],
    ["2023-11-14T22:14:20", "inc.20231114T221320Z.to.20231114T221420Z"],
    ["2023-11-14T23:14:20+01:00", "inc.20231114T221320Z.to.20231114T221420Z"],
    ["2023-11-14T22:14", "full.20231114T221320Z"],
    ["20231114T221420Z", "inc.20231114T221320Z.to.20231114T221420Z"],
    // Of the time of a withheld set, the one before it.
    ["2023-11-14T22:15:20Z", "inc.20231114T221320Z.to.20231114T221420Z"],
    ["2023-11-15", "full.20231114T221620Z"],
  ])("is named by %s: %s", (wanted, name) => {
    expect(choose(wanted)).toBe(name);
  });

  test.each([
    [
      "full.20231114T221321Z",
      "GAP",
      /does not hold full.*; it holds 3 sets from 20231114T221320Z to/,
    ],
    ["inc.20231114T221420Z.to.20231114T221520Z", "GAP", /withheld/],
    ["2023-11-14T22:13:19Z", "GAP", /no set is as old/],
    ["2023-11-14", "GAP", /no set is as old/],
    ["yesterday", "USAGE", /expected newest, a set such as/],
    ["2023-13-14", "USAGE", /expected/],
    ["", "USAGE", /expected/],
  ])("is not named by %j: %s", (wanted, code, message) => {
    const refused = { code, message: expect.stringMatching(message) as string };
    expect(() => choose(wanted)).toThrow(expect.objectContaining(refused));
  });

  test("is none of a publication without sets", () => {
    expect(() => chooseTarget([], "2023-11-15", ASKED_BY)).toThrow(/it holds none/);
  });
});
