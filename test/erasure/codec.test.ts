import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blockSize, checkShape, decodeBlocks, encodeBlocks } from "../../src/erasure/codec.js";
import type { Shape } from "../../src/erasure/shape.js";

describe("shapes", () => {
  test.each([
    [1, 1],
    [1, 7],
    [24, 24],
    [24, 30],
    [4, 6],
  ])("accepts k = %i, n = %i", (k, n) => {
    expect(() => checkShape({ k, n })).not.toThrow();
  });

  test.each([
    [0, 1],
    [-1, 2],
    [25, 26],
    [1, 8],
    [24, 31],
    [4, 3],
    [1.5, 3],
    [2, Number.NaN],
  ])("refuses k = %d, n = %d", (k, n) => {
    expect(() => checkShape({ k, n })).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });
});

describe("block sizes", () => {
  test.each([
    [1, 1, 8],
    [8, 1, 8],
    [9, 1, 16],
    [1, 24, 8],
    [32, 4, 8],
    [33, 4, 16],
    [1048576, 4, 262144],
    [1048577, 4, 262152],
    [1048576, 3, 349528],
  ])("%i bytes over k = %i make blocks of %i", (storedSizeBytes, k, expected) => {
    expect(blockSize(storedSizeBytes, k)).toBe(expected);
  });

  test("are whole words that hold the stripe, and no word more than needed", () => {
    const sizes = fc.integer({ min: 1, max: 1 << 21 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 24 }), (sizeBytes, k) => {
        const block = blockSize(sizeBytes, k);
        expect(block % 8).toBe(0);
        expect(block * k).toBeGreaterThanOrEqual(sizeBytes);
        expect((block - 8) * k).toBeLessThan(sizeBytes);
      }),
    );
  });

  test("do not exist for an empty stripe", () => {
    expect(() => blockSize(0, 4)).toThrow("never empty");
  });
});

describe("the code", () => {
  test("makes the parity it has always made", async () => {
    const stored = Buffer.from("any k of n shares give the stripe back", "latin1");
    const blocks = await encodeBlocks(stored, { k: 3, n: 5 });
    expect(blocks.map((block) => Buffer.from(block).toString("hex"))).toEqual([
      "616e79206b206f66206e207368617265",
      "73206769766520746865207374726970",
      "65206261636b00000000000000000000",
      "776e7c287e2e4f12480b00001c131b15",
      "135772316c72617f560b000765243077",
    ]);
  });

  test("makes the same blocks in room that was used before", async () => {
    const stored = Buffer.from("any k of n shares give the stripe back", "latin1");
    const room = Buffer.alloc(100, 0xff);
    const blocks = await encodeBlocks(stored, { k: 3, n: 5 }, room);
    expect(blocks).toEqual(await encodeBlocks(stored, { k: 3, n: 5 }));
    expect(blocks.every((block) => block.buffer === room.buffer)).toBe(true);
    await expect(encodeBlocks(stored, { k: 3, n: 5 }, room.subarray(0, 79))).rejects.toThrow(
      "79 bytes for blocks of 80",
    );
  });

  test("makes the parity of a large stripe that it has always made", async () => {
    const stored = patterned(1_000_003);
    const blocks = await encodeBlocks(stored, { k: 4, n: 6 });
    const hash = createHash("sha256");
    for (const block of blocks) hash.update(block);
    expect(hash.digest("hex")).toBe(GOLDEN_LARGE);
  });

  test.each([
    [1, 1],
    [1, 3],
    [2, 3],
    [3, 5],
    [4, 6],
    [5, 5],
    [6, 12],
  ])("gives the stripe from every k of n blocks, k = %i, n = %i", async (k, n) => {
    const stored = patterned(k * 24 - 5);
    const blocks = await encodeBlocks(stored, { k, n });
    for (const chosen of subsets(n, k)) {
      const some = blocks.map((block, share) => (chosen.includes(share) ? block : undefined));
      expect(await decodeBlocks(some, { k, n }, stored.length)).toEqual(stored);
    }
  });

  test("gives the stripe at the largest shape with as many lost as may be", async () => {
    const shape: Shape = { k: 24, n: 30 };
    const stored = patterned(100_000);
    const blocks = await encodeBlocks(stored, shape);
    for (const lost of [0, 5, 18, 24]) {
      const some = blocks.map((block, share) =>
        share >= lost && share < lost + 6 ? undefined : block,
      );
      expect(await decodeBlocks(some, shape, stored.length)).toEqual(stored);
    }
  });

  test("gives back what was encoded, whatever it is", async () => {
    const shapes = fc.record({
      k: fc.integer({ min: 1, max: 24 }),
      m: fc.integer({ max: 6, min: 0 }),
    });
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 2000 });
    await fc.assert(
      fc.asyncProperty(
        shapes,
        bytes,
        fc.infiniteStream(fc.nat()),
        async ({ k, m }, stored, picks) => {
          const shape = { k, n: k + m };
          const blocks: (Uint8Array | undefined)[] = await encodeBlocks(stored, shape);
          for (let lost = 0; lost < m; lost++)
            blocks[(picks.next().value ?? 0) % shape.n] = undefined;
          expect(Buffer.from(await decodeBlocks(blocks, shape, stored.length))).toEqual(
            Buffer.from(stored),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  test("leaves stripe and blocks as they are", async () => {
    const stored = patterned(1000);
    const blocks = await encodeBlocks(stored, { k: 3, n: 6 });
    const copies = blocks.map((block) => Uint8Array.from(block));
    await decodeBlocks(
      [undefined, blocks[1], undefined, blocks[3], blocks[4], blocks[5]],
      { k: 3, n: 6 },
      1000,
    );
    expect(stored).toEqual(patterned(1000));
    expect(blocks.map((block) => Uint8Array.from(block))).toEqual(copies);
  });

  test("gives the stripe when data blocks are absent from the end of the list", async () => {
    const stored = patterned(64);
    const blocks = await encodeBlocks(stored, { k: 2, n: 4 });
    expect(await decodeBlocks(blocks.slice(0, 2), { k: 2, n: 4 }, 64)).toEqual(stored);
  });

  test("says how many shares there are when they are too few", async () => {
    const blocks = await encodeBlocks(patterned(100), { k: 3, n: 5 });
    const some = [undefined, blocks[1], undefined, undefined, blocks[4]];
    await expect(decodeBlocks(some, { k: 3, n: 5 }, 100)).rejects.toMatchObject({
      code: "SHARES_TOO_FEW",
      message: "2 good shares, 3 needed",
    });
  });

  test("never hands the addon blocks of another size", async () => {
    const blocks = await encodeBlocks(patterned(100), { k: 2, n: 3 });
    const cut = [blocks[0]?.subarray(8), undefined, blocks[2]];
    await expect(decodeBlocks(cut, { k: 2, n: 3 }, 100)).rejects.toThrow("block of share 0");
    const empty = [new Uint8Array(0), undefined, new Uint8Array(0)];
    await expect(decodeBlocks(empty, { k: 2, n: 3 }, 100)).rejects.toThrow("block of share 0");
    await expect(encodeBlocks(new Uint8Array(0), { k: 2, n: 3 })).rejects.toThrow("never empty");
  });

  test("works on many stripes at once", async () => {
    const stripes = Array.from({ length: 40 }, () => randomBytes(5000));
    const shape = { k: 4, n: 6 };
    const decoded = stripes.map(async (stripe) => {
      const blocks = await encodeBlocks(stripe, shape);
      return decodeBlocks([undefined, undefined, ...blocks.slice(2)], shape, 5000);
    });
    expect(Buffer.concat(await Promise.all(decoded))).toEqual(Buffer.concat(stripes));
  });
});

const GOLDEN_LARGE = "e6736e69639c6683f99161eb9813d223992f0fc1955df8cfd19d3569e8d5dfaf";

function patterned(sizeBytes: number): Uint8Array {
  return Buffer.from(
    Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 131 + (at >> 8) * 7) & 0xff),
  );
}

/** All ways to choose `count` of the numbers below `from`. */
function subsets(from: number, count: number): number[][] {
  if (count === 0) return [[]];
  if (from < count) return [];
  const without = subsets(from - 1, count);
  const having = subsets(from - 1, count - 1).map((chosen) => [...chosen, from - 1]);
  return [...without, ...having];
}
