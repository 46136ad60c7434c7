import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SMALL_PAGE_ENTRIES } from "../../src/limits.js";
import { USE_FIRST, USE_LAST, USE_NEEDED } from "../../src/replica/plan.js";
import { ShareOut } from "../../src/replica/share-out.js";
import type { WorkPage } from "../../src/replica/work.js";

const ALONE = USE_NEEDED | USE_FIRST | USE_LAST;

describe("entries that several builders make", () => {
  test("go to one builder each, with what they are for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(anyUses()), (builders, pages) => {
        const shareOut = new ShareOut(builders);
        for (const uses of pages) {
          const shares = shareOut.pages(pageOf(uses));
          expect(shares).toHaveLength(builders);
          uses.forEach((use, at) => {
            const taken = shares.map((share) => share?.uses[at] ?? 0).filter((one) => one !== 0);
            expect(taken).toEqual(use === 0 ? [] : [use]);
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  test("go to the same one when others come before or after them", () => {
    const shareOut = new ShareOut(3);
    for (const use of [USE_NEEDED | USE_FIRST, USE_NEEDED, USE_NEEDED | USE_LAST]) {
      const shares = shareOut.pages(pageOf(new Uint8Array(2000).fill(use)));
      expect(shares.map((share) => share !== undefined)).toEqual([true, false, false]);
    }
  });

  test("are shared page by page where pages are small, and within the large ones", () => {
    const shareOut = new ShareOut(2);
    const busy = (size: number) =>
      shareOut
        .pages(pageOf(new Uint8Array(size).fill(ALONE)))
        .map((share) => share?.uses.filter((use) => use !== 0).length ?? 0);
    expect(busy(SMALL_PAGE_ENTRIES)).toEqual([SMALL_PAGE_ENTRIES, 0]);
    expect(busy(SMALL_PAGE_ENTRIES)).toEqual([0, SMALL_PAGE_ENTRIES]);
    expect(busy(8 * SMALL_PAGE_ENTRIES)).toEqual([4 * SMALL_PAGE_ENTRIES, 4 * SMALL_PAGE_ENTRIES]);
  });
});

function pageOf(uses: Uint8Array): WorkPage {
  return { set: 0, page: new Uint8Array(0), uses };
}

function anyUses(): fc.Arbitrary<Uint8Array> {
  return fc
    .array(fc.constantFrom(0, ALONE, USE_NEEDED, USE_NEEDED | USE_FIRST), { maxLength: 20 })
    .chain((some) => fc.nat(60).map((times) => new Uint8Array(Array(times).fill(some).flat())));
}
