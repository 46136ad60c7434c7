import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SignatureBuilder } from "../../src/librsync/signature.js";
import {
  ContentDigester,
  digestSignature,
  SignatureDigester,
} from "../../src/manifest/signature-digest.js";
import { cut, FEEDS, hex, pattern, unhex } from "../support/bytes.js";

/** `hello\n`, of duplicity-format 5.4. */
const HELLO = unhex("727301360000020000000008 0ad002d8 63481c78ae04c201");

function digestInPieces(signature: Uint8Array, feed: number) {
  const digester = new SignatureDigester();
  for (const piece of cut(signature, feed)) digester.update(piece);
  return digester.finish();
}

describe("digestSignature", () => {
  it("takes eight bytes of the SHA-256, and the block length from the header", () => {
    const { blockLength, digest } = digestSignature(HELLO);
    expect(blockLength).toBe(512);
    expect(hex(digest)).toBe(createHash("sha256").update(HELLO).digest("hex").slice(0, 16));
  });

  it("tells files from each other, and block lengths", () => {
    const digests = [512, 1024].flatMap((blockLength) =>
      [0, 1, 511, 512, 513].map((size) => {
        const builder = new SignatureBuilder(blockLength);
        builder.update(pattern(size));
        return hex(digestSignature(builder.finish()).digest);
      }),
    );
    expect(new Set(digests).size).toBe(10);
  });

  it("refuses what is no signature", () => {
    for (let size = 0; size < 12; size++) {
      expect(() => digestSignature(HELLO.subarray(0, size))).toThrow(/fewer than its header/);
    }
    expect(() => digestSignature(HELLO.subarray(0, 20))).toThrow(/ends inside a block's sums/);
    expect(() => digestSignature(unhex("727301460000020000000008"))).toThrow(/0x72730146/);
  });
});

describe("ContentDigester", () => {
  it.each([1, 7, 512, 2048])(
    "digests the signature of blocks of %i bytes as it is",
    (blockLength) => {
      const builder = new SignatureBuilder(blockLength);
      const content = pattern(600_000);
      builder.update(content);
      const whole = digestSignature(builder.finish());
      for (const feed of [content.length, 100_001, 4096]) {
        const digester = new ContentDigester(blockLength);
        for (const piece of cut(content, feed)) digester.update(piece);
        const { digest } = digester.finish();
        expect(hex(digest)).toBe(hex(whole.digest));
      }
    },
  );
});

describe("SignatureDigester", () => {
  it("gives what the whole gives, however it is fed", () => {
    for (const feed of FEEDS) {
      const { blockLength, digest } = digestInPieces(HELLO, feed);
      expect([blockLength, hex(digest)]).toEqual([512, hex(digestSignature(HELLO).digest)]);
    }
  });

  it("refuses every cut but that between blocks", () => {
    for (let size = 0; size < HELLO.length; size++) {
      const cutShort = HELLO.subarray(0, size);
      if (size === 12) expect(digestInPieces(cutShort, 5).blockLength).toBe(512);
      else expect(() => digestInPieces(cutShort, 5)).toThrow(/librsync signature/);
    }
  });
});
