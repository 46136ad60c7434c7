import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Md4, md4 } from "../../src/librsync/md4.js";
import { ascii, cut, hex, pattern } from "../support/bytes.js";

describe("md4", () => {
  it.each([
    ["", "31d6cfe0d16ae931b73c59d7e0c089c0"],
    ["a", "bde52cb31de33e46245e05fbdbd6fb24"],
    ["abc", "a448017aaf21d8525fc10ae87aa6729d"],
    ["message digest", "d9130a8164549fe818874806e1c7014b"],
    ["abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"],
    [
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
      "043f8582f241db351ce627e153e7f0e4",
    ],
    ["1234567890".repeat(8), "e33b4ddc9c38f2199c3e7b164fcc0536"],
  ])("gives RFC 1320's digest of %j", (text, digest) => {
    expect(hex(md4(ascii(text)))).toBe(digest);
  });

  it("agrees with OpenSSL on every length around the 64-byte unit", () => {
    const digests = Array.from({ length: 200 }, (_, size) => md4(pattern(size)));
    expect(hex(md4(Buffer.concat(digests)))).toBe("4621a3ca4f921c84636a6f1d404709ec");
  });

  it("agrees with OpenSSL on a long message", () => {
    expect(hex(md4(pattern(1_000_003)))).toBe("385fd86cacc4c697f58d63333435738b");
  });

  it("reads a view at an odd offset of its buffer", () => {
    const bytes = Buffer.concat([ascii("xyz"), pattern(300)]).subarray(3);
    expect(md4(bytes)).toEqual(md4(pattern(300)));
  });
});

describe("Md4", () => {
  it("does not depend on how a message is cut, and can be used again", () => {
    const hash = new Md4();
    const output = new Uint8Array(16);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 130 }),
        (bytes, size) => {
          for (const piece of cut(bytes, size)) {
            hash.update(
              new DataView(piece.buffer, piece.byteOffset, piece.length),
              0,
              piece.length,
            );
          }
          hash.finishInto(output, 0, 16);
          expect(output).toEqual(md4(bytes));
        },
      ),
    );
  });

  it("writes only the bytes that are asked for", () => {
    const output = new Uint8Array(20);
    new Md4().finishInto(output, 4, 8);
    expect(hex(output)).toBe("0000000031d6cfe0d16ae9310000000000000000");
  });
});
