import { describe, expect, test } from "vitest";
import type { SetId } from "../../src/duplicity/set-id.js";
import { lineageOf } from "../../src/manifest/lineage.js";
import { hashText, sampleLine } from "./samples.js";

const full: SetId = { kind: "full", time: 100 };

describe("the lineage", () => {
  test("of a full set is the set", () => {
    expect(times(lineageOf(lines(full, inc(100, 110)), full))).toEqual([100]);
  });

  test("of an increment goes from the full set to it and no further", () => {
    const all = lines(full, inc(100, 110), inc(110, 120), inc(120, 130));
    expect(times(lineageOf(all, inc(110, 120)))).toEqual([100, 110, 120]);
  });

  test("leaves out forks that led elsewhere", () => {
    const all = lines(full, inc(100, 110), inc(110, 120), inc(110, 125), inc(125, 130));
    expect(times(lineageOf(all, inc(125, 130)))).toEqual([100, 110, 125, 130]);
    expect(times(lineageOf(all, inc(110, 120)))).toEqual([100, 110, 120]);
  });

  test("takes the last of sets with equal times that came before", () => {
    const line = (set: SetId, manifest: string) =>
      sampleLine({ set, manifestHash: hashText(manifest) });
    const all = [
      line(full, "full"),
      line(inc(100, 110), "lost"),
      line(inc(100, 110), "kept"),
      line(inc(110, 120), "last"),
      line(inc(100, 110), "later"),
    ];
    const lineage = lineageOf(all, inc(110, 120));
    expect(lineage).toEqual([all[0], all[2], all[3]]);
  });

  test.each([
    ["the set itself", lines(full, inc(100, 110)), inc(110, 120)],
    ["an increment between", lines(full, inc(110, 120)), inc(110, 120)],
    ["the full set", lines(inc(100, 110), inc(110, 120)), inc(110, 120)],
    ["the same times made upon another set", lines(full, inc(100, 120)), inc(110, 120)],
    ["everything", [], full],
  ])("is a gap without %s", (_, all, newest) => {
    expect(() => lineageOf(all, newest)).toThrow(expect.objectContaining({ code: "GAP" }));
  });
});

function inc(from: number, time: number): SetId {
  return { kind: "increment", from, time };
}

function lines(...sets: readonly SetId[]): ReturnType<typeof sampleLine>[] {
  return sets.map((set) => sampleLine({ set }));
}

function times(lineage: ReturnType<typeof sampleLine>[]): number[] {
  return lineage.map(({ set }) => set.time);
}
