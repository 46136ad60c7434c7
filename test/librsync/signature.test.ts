import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parseSignature,
  parseSignatureHeader,
  SignatureBuilder,
} from "../../src/librsync/signature.js";
import { ascii, cut, FEEDS, hex, pattern, unhex } from "../support/bytes.js";

const HEADER_512 = "727301360000020000000008";

/** Vectors of duplicity-format 5.4: what, bytes, block length, signature. */
const VECTORS: readonly (readonly [string, Uint8Array, number, string])[] = [
  ["nothing", ascii(""), 512, HEADER_512],
  ["a", ascii("a"), 512, `${HEADER_512} 00800080 bde52cb31de33e46`],
  ["hello", ascii("hello\n"), 512, `${HEADER_512} 0ad002d8 63481c78ae04c201`],
  ["512 zeros", new Uint8Array(512), 512, `${HEADER_512} 1f003e00 956cd9194731bbd1`],
  ["512 x ff", new Uint8Array(512).fill(0xff), 512, `${HEADER_512} 1e003c00 e8c115ddc55ac5e0`],
  ["pat(511)", pattern(511), 512, `${HEADER_512} 17933323 44d8452e43d4a1c9`],
  ["pat(512)", pattern(512), 512, `${HEADER_512} 4ade334b 65edc6cc2a8c73ed`],
  [
    "pat(513)",
    pattern(513),
    512,
    `${HEADER_512} 4ade334b 65edc6cc2a8c73ed 00290029 8c5b220bf6f48288`,
  ],
  [
    "pat(1025)",
    pattern(1025),
    512,
    `${HEADER_512} 4ade334b 65edc6cc2a8c73ed 87f233af 792f6f6c31b912e3 00330033 af8864d6b671bdef`,
  ],
  [
    "4096 x ff",
    new Uint8Array(4096).fill(0xff),
    2048,
    "727301360000080000000008 7800f000 e5949c2a6dbc95f4 7800f000 e5949c2a6dbc95f4",
  ],
];

function signatureOf(bytes: Uint8Array, blockLength: number, feed: number): Uint8Array {
  const builder = new SignatureBuilder(blockLength);
  for (const piece of cut(bytes, feed)) builder.update(piece);
  return builder.finish();
}

/** Byte by byte. */
function weakSum(bytes: Uint8Array): string {
  let sum1 = 0;
  let sum2 = 0;
  for (const byte of bytes) {
    sum1 = (sum1 + byte + 31) & 0xffff;
    sum2 = (sum2 + sum1) & 0xffff;
  }
  return hex(Uint8Array.of(sum2 >> 8, sum2 & 0xff, sum1 >> 8, sum1 & 0xff));
}

describe("SignatureBuilder", () => {
  it.each(VECTORS)(
    "makes duplicity's signature of %s, however it is fed",
    (_, bytes, blockLength, signature) => {
      for (const feed of FEEDS) {
        expect(hex(signatureOf(bytes, blockLength, feed))).toBe(signature.replaceAll(" ", ""));
      }
    },
  );

  it("starts with librsync's weak sum", () => {
    expect(hex(signatureOf(ascii("abc"), 512, 3).subarray(12, 16))).toBe("03040183");
  });

  it("has the weak sum of librsync's definition, of any bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 1, max: 9 }),
        (some, times) => {
          const bytes = Buffer.concat(Array.from({ length: times }, () => some));
          const built = signatureOf(bytes, 100_000, Number.MAX_SAFE_INTEGER).subarray(12, 16);
          expect(hex(built)).toBe(bytes.length === 0 ? "" : weakSum(bytes));
        },
      ),
    );
  });

  it("does not depend on how a file is cut", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 900 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        (bytes, blockLength, feed) => {
          const whole = signatureOf(bytes, blockLength, Number.MAX_SAFE_INTEGER);
          expect(signatureOf(bytes, blockLength, feed)).toEqual(whole);
          expect(parseSignature(whole)).toEqual({
            blockLength,
            strongLength: 8,
            blockCount: Math.ceil(bytes.length / blockLength),
          });
        },
      ),
    );
  });

  it("gives in parts what it gives as a whole", () => {
    const builder = new SignatureBuilder(512);
    const parts: Uint8Array[] = [];
    for (const piece of cut(pattern(40_000), 999)) {
      builder.update(piece);
      parts.push(builder.take());
    }
    parts.push(builder.finish());
    const whole = signatureOf(pattern(40_000), 512, 40_000);
    expect(hex(Buffer.concat(parts))).toBe(hex(whole));
  });
});

describe("parseSignature", () => {
  it("refuses a signature cut anywhere but between blocks", () => {
    const whole = signatureOf(pattern(1025), 512, 1025);
    for (let size = 0; size < whole.length; size++) {
      const cutShort = whole.subarray(0, size);
      if (size >= 12 && size % 12 === 0)
        expect(parseSignature(cutShort).blockCount).toBe(size / 12 - 1);
      else expect(() => parseSignature(cutShort)).toThrow(/librsync signature/);
    }
  });

  it.each([
    ["BLAKE2", "727301370000020000000008", /0x72730137/],
    ["Rabin-Karp", "727301460000020000000008", /0x72730146/],
    ["a block length of 0", "727301360000000000000008", /length 0/],
    ["long strong sums", "727301360000020000000010", /16 bytes, not 8/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseSignature(unhex(bytes))).toThrow(message);
  });

  it("tells from the header and the size alone", () => {
    const shape = parseSignatureHeader(unhex(HEADER_512), 12 + 12 * 1000);
    expect(shape).toEqual({ blockLength: 512, strongLength: 8, blockCount: 1000 });
  });
});
