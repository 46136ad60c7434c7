import { describe, expect, test } from "vitest";
import { equalBytes, sha256, sha256Async, toBase64url } from "../../src/bytes/digest.js";

describe("SHA-256", () => {
  test("gives the digests of FIPS 180-2", () => {
    expect(Buffer.from(sha256(Buffer.from("abc"))).toString("hex")).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(toBase64url(sha256(new Uint8Array(0)))).toBe(
      "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    );
  });

  test.each([0, 1, 65_535, 65_536, 65_537, 1_000_000])(
    "gives the same in the thread pool for %i bytes",
    async (sizeBytes) => {
      const bytes = new Uint8Array(sizeBytes + 2).fill(7).subarray(1, sizeBytes + 1);
      expect(equalBytes(await sha256Async(bytes), sha256(bytes))).toBe(true);
    },
  );
});

test("bytes are equal when sizes and all bytes are", () => {
  expect(equalBytes(Uint8Array.of(1, 2), Buffer.from([1, 2]))).toBe(true);
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false);
  expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true);
});

test("base64url has no padding and no + or /", () => {
  expect(toBase64url(Uint8Array.of(0xfb, 0xff))).toBe("-_8");
  expect(toBase64url(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe("AgM");
  expect(toBase64url(new Uint8Array(0))).toBe("");
});
