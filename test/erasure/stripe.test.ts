import { randomBytes } from "node:crypto";
import { brotliCompressSync, constants } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  chooseStripeSize,
  compressStripe,
  decompressStripe,
  stripeCount,
  stripeSize,
} from "../../src/erasure/stripe.js";

const MIB = 1024 * 1024;

describe("stripes of a file", () => {
  test.each([
    [0, 0],
    [1, 1],
    [MIB - 1, 1],
    [MIB, 1],
    [MIB + 1, 2],
    [25 * MIB, 25],
    [5_000_000_000_001, 4_768_372],
  ])("a file of %i bytes has %i", (sizeBytes, count) => {
    expect(stripeCount({ sizeBytes, stripeSizeBytes: MIB })).toBe(count);
  });

  test("are whole but for the last", () => {
    const sizes = (sizeBytes: number, stripeSizeBytes: number) =>
      [0, 1, 2].map((stripe) => stripeSize({ sizeBytes, stripeSizeBytes }, stripe));
    expect(sizes(2 * MIB + 5, MIB)).toEqual([MIB, MIB, 5]);
    expect(sizes(MIB / 2 + 5, MIB / 4)).toEqual([MIB / 4, MIB / 4, 5]);
    expect(stripeSize({ sizeBytes: 1, stripeSizeBytes: MIB }, 0)).toBe(1);
  });

  test.each([
    [0, MIB / 8],
    [32 * MIB - 1, MIB / 8],
    [32 * MIB, MIB / 4],
    [64 * MIB - 1, MIB / 4],
    [64 * MIB, MIB / 2],
    [128 * MIB - 1, MIB / 2],
    [128 * MIB, MIB],
    [1e15, MIB],
  ])("are larger in a larger set: %i bytes", (setSizeBytes, size) => {
    expect(chooseStripeSize(setSizeBytes)).toBe(size);
  });
});

describe("compression", () => {
  const text = Buffer.from("snapshot/names/one two three\n".repeat(40_000), "latin1");

  test.each([1, 63, 64, 65, 4096, 4097, 65_535, 65_536, 65_537, 500_000, MIB])(
    "gives back %i bytes of text",
    async (sizeBytes) => {
      const raw = text.subarray(0, sizeBytes);
      const { compression, stored } = await compressStripe(raw);
      expect(Buffer.compare(await decompressStripe(compression, stored, sizeBytes), raw)).toBe(0);
    },
  );

  test("is used where it saves and left out where it does not", async () => {
    expect((await compressStripe(text)).compression).toBe("brotli");
    const noise = randomBytes(MIB);
    const { compression, stored } = await compressStripe(noise);
    expect(compression).toBe("none");
    expect(await decompressStripe(compression, stored, MIB)).toBe(noise);
    expect((await compressStripe(Uint8Array.of(7))).compression).toBe("none");
  });

  test("that would give more than the stripe's size is stopped", async () => {
    const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
    const bomb = brotliCompressSync(Buffer.alloc(256 * MIB), quick);
    for (const rawSizeBytes of [1000, 100_000]) {
      await expect(decompressStripe("brotli", bomb, rawSizeBytes)).rejects.toMatchObject({
        code: "BLOCK_CORRUPT",
        message: "a stripe cannot be decompressed",
      });
    }
  });

  test("that gives less than the stripe's size is refused", async () => {
    const stored = brotliCompressSync(text.subarray(0, 1000));
    await expect(decompressStripe("brotli", stored, 1001)).rejects.toMatchObject({
      code: "BLOCK_CORRUPT",
      message: "a stripe has another size when decompressed: expected 1001 bytes, got 1000",
    });
    await expect(decompressStripe("none", stored, 1001)).rejects.toMatchObject({
      code: "BLOCK_CORRUPT",
    });
  });

  test("cut anywhere is refused", async () => {
    const stored = brotliCompressSync(text.subarray(0, 300));
    for (let size = 0; size < stored.length; size++) {
      await expect(decompressStripe("brotli", stored.subarray(0, size), 300)).rejects.toMatchObject(
        {
          code: "BLOCK_CORRUPT",
        },
      );
    }
  });
});
