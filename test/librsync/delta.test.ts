import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeltaReader } from "../../src/librsync/delta.js";
import { ascii, cut, FEEDS, hex, pattern, unhex } from "../support/bytes.js";

const MAGIC = "72730236";
const x = (count: number) => new Uint8Array(count).fill(0x78);
const delta = (...parts: (string | Uint8Array)[]) =>
  Buffer.concat([MAGIC, ...parts].map((part) => (typeof part === "string" ? unhex(part) : part)));

/** Vectors of duplicity-format 6: what, base, delta, result. */
const VECTORS: readonly (readonly [string, Uint8Array, Uint8Array, Uint8Array])[] = [
  ["nothing to nothing", ascii(""), delta("00"), ascii("")],
  ["hello to nothing", ascii("hello\n"), delta("00"), ascii("")],
  ["nothing to hello", ascii(""), delta("06 68656c6c6f0a 00"), ascii("hello\n")],
  ["hello to world", ascii("hello\n"), delta("06 776f726c640a 00"), ascii("world\n")],
  ["a touched", ascii("a"), delta("45 00 01 00"), ascii("a")],
  ["64 bytes", ascii(""), delta("40", x(64), "00"), x(64)],
  ["65 bytes", ascii(""), delta("41 41", x(65), "00"), x(65)],
  ["255 bytes", ascii(""), delta("41 ff", x(255), "00"), x(255)],
  ["256 bytes", ascii(""), delta("42 0100", x(256), "00"), x(256)],
  ["65535 bytes", ascii(""), delta("42 ffff", x(65535), "00"), x(65535)],
  ["65536 bytes", ascii(""), delta("43 00010000", x(65536), "00"), x(65536)],
  ["pat(700) touched", pattern(700), delta("46 00 02bc 00"), pattern(700)],
  [
    "pat(1025) and one more",
    pattern(1025),
    delta("46 00 0400 02 1421 00"),
    Buffer.concat([pattern(1025), ascii("!")]),
  ],
  [
    "one more and pat(1025)",
    pattern(1025),
    delta("01 21 46 00 0401 00"),
    Buffer.concat([ascii("!"), pattern(1025)]),
  ],
  [
    "blocks of pat(1025) exchanged",
    pattern(1025),
    delta("4a 0200 0200 46 00 0200 00"),
    Buffer.concat([pattern(1025).subarray(512, 1024), pattern(512)]),
  ],
];

function read(bytes: Uint8Array, feed: number) {
  const reader = new DeltaReader();
  const commands = cut(bytes, feed).flatMap((piece) => [...reader.push(piece)]);
  reader.finish();
  return commands;
}

function apply(base: Uint8Array, bytes: Uint8Array, feed: number): Uint8Array {
  return Buffer.concat(
    read(bytes, feed).map((command) =>
      command.kind === "literal"
        ? command.bytes
        : base.subarray(command.position, command.position + command.sizeBytes),
    ),
  );
}

function copyBytes(op: number, position: number, size: number): Uint8Array {
  const number = (value: number, width: number) => value.toString(16).padStart(2 * width, "0");
  const widths = [1 << ((op - 0x45) >> 2), 1 << ((op - 0x45) & 3)] as const;
  return unhex(op.toString(16) + number(position, widths[0]) + number(size, widths[1]));
}

describe("DeltaReader", () => {
  it.each(VECTORS)("reads %s, however it is fed", (_, base, bytes, result) => {
    for (const feed of FEEDS) expect(hex(apply(base, bytes, feed))).toBe(hex(result));
  });

  it("reads every form of COPY", () => {
    for (let op = 0x45; op <= 0x54; op++) {
      expect(read(delta(copyBytes(op, 200, 100), "00"), 3)).toEqual([
        { kind: "copy", position: 200, sizeBytes: 100 },
      ]);
    }
  });

  it.each(["41 05", "42 0005", "43 00000005", "44 0000000000000005"])(
    "reads the LITERAL %s",
    (op) => {
      const commands = read(delta(op, ascii("hello"), "00"), Number.MAX_SAFE_INTEGER);
      expect(commands).toEqual([{ kind: "literal", bytes: Buffer.from("hello") }]);
    },
  );

  it("reads positions and lengths of 64 bits up to 2^53 - 1", () => {
    expect(read(delta("54 001ffffffffffffe 0000000000000001 00"), 5)).toEqual([
      { kind: "copy", position: Number.MAX_SAFE_INTEGER - 1, sizeBytes: 1 },
    ]);
  });

  it("refuses every cut", () => {
    for (const bytes of [
      delta("4a 0200 0200 46 00 0200 02 1421 00"),
      delta("43 00000003 414243 00"),
    ]) {
      for (let size = 0; size < bytes.length; size++) {
        expect(() => read(bytes.subarray(0, size), 4)).toThrow(/inside its commands/);
      }
    }
  });

  it.each([
    ["another magic number", unhex("72730136 00"), /begins with 0x72730136/],
    ["bytes after the end", delta("00 00"), /after its END/],
    ["a LITERAL of length 0", delta("41 00 00"), /LITERAL of length 0/],
    ["a COPY of length 0", delta("45 05 00 00"), /COPY of length 0/],
    ["a length of 2^53", delta("44 0020000000000000"), /2\^53/],
    ["a length of 2^64 - 1", delta("44 ffffffffffffffff"), /2\^53/],
    ["a COPY that ends beyond 2^53", delta("54 001fffffffffffff 0000000000000001"), /2\^53/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => read(bytes, 2)).toThrow(message);
  });

  it("refuses every reserved command", () => {
    for (let op = 0x55; op <= 0xff; op++) {
      expect(() => read(delta(Uint8Array.of(op)), 1)).toThrow(/reserved command/);
    }
  });

  it("gives the same result for every way of cutting", () => {
    const command = fc.oneof(
      fc
        .uint8Array({ minLength: 1, maxLength: 64 })
        .map((bytes) => [Uint8Array.of(bytes.length), bytes]),
      fc
        .tuple(fc.integer({ min: 0x45, max: 0x54 }), fc.nat(155), fc.integer({ min: 1, max: 100 }))
        .map(([op, position, size]) => [copyBytes(op, position, size)]),
    );
    fc.assert(
      fc.property(fc.array(command), fc.integer({ min: 1, max: 40 }), (commands, feed) => {
        const bytes = delta(...commands.flat(), "00");
        expect(apply(pattern(255), bytes, feed)).toEqual(apply(pattern(255), bytes, bytes.length));
      }),
    );
  });

  it("hands out literals as views of what it was given", () => {
    const bytes = delta("03 414243 00");
    const [literal] = new DeltaReader().push(bytes);
    expect(literal).toMatchObject({ bytes: { buffer: bytes.buffer } });
  });
});
