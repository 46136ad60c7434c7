import { randomBytes } from "node:crypto";
import { brotliCompressSync, constants } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BinaryWriter } from "../../src/bytes/binary-writer.js";
import { hashPage, packPage, unpackPage } from "../../src/manifest/table.js";

const MIB = 1024 * 1024;
const invalid: unknown = expect.objectContaining({ code: "DOCUMENT_INVALID" });

describe("a page", () => {
  test.each([0, 1, 10, 100, 5000, 40_000, 300_000])(
    "of %i bytes is given back",
    async (sizeBytes) => {
      const raw = Buffer.from("pool/main/p/python3-".repeat(15_001), "latin1").subarray(
        0,
        sizeBytes,
      );
      const page = await packPage(raw);
      expect(Buffer.compare(await unpackPage(page), raw)).toBe(0);
      expect(page.length).toBeLessThanOrEqual(Math.max(raw.length + 1, 1));
    },
  );

  test("of any bytes is given back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (raw) => {
        expect(Buffer.compare(await unpackPage(await packPage(raw)), raw)).toBe(0);
      }),
    );
  });

  test("that does not shrink is stored as it is", async () => {
    const raw = randomBytes(1000);
    expect(Buffer.from(await packPage(raw))).toEqual(Buffer.concat([Buffer.of(0), raw]));
  });

  test("says first how it is packed and how large it is", async () => {
    const page = await packPage(Buffer.alloc(300));
    expect([...page.subarray(0, 3)]).toEqual([1, 0xac, 0x02]);
  });

  test("has the hash of its bytes as published", () => {
    expect(hashPage(Buffer.from("abc"))).toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
  });
});

describe("a page is refused", () => {
  test("cut anywhere", async () => {
    const page = await packPage(Buffer.from("names/one\nnames/two\n".repeat(20)));
    for (let size = 0; size < page.length; size++) {
      await expect(unpackPage(page.subarray(0, size))).rejects.toThrow(invalid);
    }
  });

  test("or is another page, with any byte changed, but never harms", async () => {
    const raw = Buffer.from("names/one\nnames/two\n".repeat(20));
    const page = Buffer.from(await packPage(raw));
    const hash = hashPage(page);
    for (const [at, byte] of page.entries()) {
      const bad = Buffer.from(page);
      bad[at] = byte ^ 1;
      expect(hashPage(bad)).not.toBe(hash);
      const outcome: unknown = await unpackPage(bad).catch((error: unknown) => error);
      expect(outcome).toSatisfy((value) => value instanceof Uint8Array || isInvalid(value));
    }
  });

  test("when packed in an unknown way", async () => {
    await expect(unpackPage(Uint8Array.of(2, 1, 1))).rejects.toThrow("unknown way (2)");
  });

  test("when it unpacks to more or less than it says", async () => {
    const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
    const bomb = brotliCompressSync(Buffer.alloc(256 * MIB), quick);
    for (const sizeBytes of [1000, 8 * MIB]) {
      await expect(unpackPage(packed(sizeBytes, bomb))).rejects.toThrow("cannot be decompressed");
    }
    const small = brotliCompressSync(Buffer.alloc(100));
    await expect(unpackPage(packed(101, small))).rejects.toThrow("expected 101 bytes, got 100");
  });

  test("when it is larger than any page, stored or unpacked", async () => {
    await expect(unpackPage(new Uint8Array(4 * MIB + 1))).rejects.toThrow("too large");
    const empty = brotliCompressSync(new Uint8Array(0));
    await expect(unpackPage(packed(8 * MIB + 1, empty))).rejects.toThrow("too large");
  });
});

function packed(rawSizeBytes: number, compressed: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  writer.u8(1);
  writer.varint(rawSizeBytes);
  writer.bytes(compressed);
  return writer.finish();
}

function isInvalid(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "DOCUMENT_INVALID";
}
