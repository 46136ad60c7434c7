import { describe, expect, test } from "vitest";
import { type TreePath, toTreePath } from "../../src/bytes/tree-path.js";
import { builderOf } from "../../src/replica/share-out.js";

describe("several builders", () => {
  test("each get their share of the directories", () => {
    for (const count of [1, 2, 3, 4]) {
      const made = new Array<number>(count).fill(0);
      for (const directory of directories()) {
        const builder = builderOf(directory, count);
        made[builder] = (made[builder] ?? 0) + 1;
      }
      expect(Math.min(...made) * count).toBeGreaterThan(0.9 * DIRECTORIES);
    }
  });

  test("agree on whose a directory is, whatever its bytes", () => {
    const directory = toTreePath("pool/\x01\xff/x");
    expect(builderOf(directory, 2)).toBe(builderOf(toTreePath("pool/\x01\xff/x"), 2));
    expect([0, 1]).toContain(builderOf(directory, 2));
    expect(builderOf(directory, 1)).toBe(0);
  });
});

const DIRECTORIES = 4000;

/** As a pool of packages has them. */
function directories(): TreePath[] {
  return Array.from({ length: DIRECTORIES }, (_, number) =>
    toTreePath(`pool/main/${String.fromCharCode(0x61 + (number % 26))}/package-${number}`),
  );
}
