import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BinaryReader } from "../../src/bytes/binary-reader.js";
import { BinaryWriter } from "../../src/bytes/binary-writer.js";

const MAX = Number.MAX_SAFE_INTEGER;
const invalid: unknown = expect.objectContaining({ code: "DOCUMENT_INVALID" });

describe("varints", () => {
  test.each([
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "8001"],
    [16383, "ff7f"],
    [16384, "808001"],
    [2 ** 31, "8080808008"],
    [2 ** 32 + 5, "8580808010"],
    [2 ** 49, "8080808080808001"],
    [MAX, "ffffffffffffff0f"],
  ])("write %i as %s and read it again", (value, hex) => {
    expect(write((writer) => writer.varint(value))).toBe(hex);
    expect(read(hex).varint()).toBe(value);
  });

  test.each([
    [0, "00"],
    [-1, "01"],
    [1, "02"],
    [-2, "03"],
    [-64, "7f"],
    [64, "8001"],
    [2 ** 52 - 1, "feffffffffffff0f"],
    [-(2 ** 52), "ffffffffffffff0f"],
  ])("write the signed %i as %s and read it again", (value, hex) => {
    expect(write((writer) => writer.signedVarint(value))).toBe(hex);
    expect(read(hex).signedVarint()).toBe(value);
  });

  test("give back every number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX }), fc.integer(), (unsigned, signed) => {
        const writer = new BinaryWriter();
        writer.varint(unsigned);
        writer.signedVarint(signed);
        const reader = new BinaryReader(writer.finish(), "numbers");
        expect([reader.varint(), reader.signedVarint()]).toEqual([unsigned, signed]);
        reader.finish();
      }),
    );
  });

  test.each(["8000", "ff8000", "80808080808000"])("refuse the longer form %s", (hex) => {
    expect(() => read(hex).varint()).toThrow("shortest form");
  });

  test.each(["8080808080808010", "ffffffffffffff1f", "ffffffffffffffff01"])(
    "refuse %s, which is above 2^53 - 1",
    (hex) => {
      expect(() => read(hex).varint()).toThrow("above 2^53 - 1");
    },
  );

  test.each(["", "80", "ffffff"])("refuse %j, which was cut", (hex) => {
    expect(() => read(hex).varint()).toThrow(invalid);
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])("are never %d", (value) => {
    expect(() => new BinaryWriter().varint(value)).toThrow("not a size or a count");
  });
});

describe("documents", () => {
  test("are read as they were written", () => {
    const writer = new BinaryWriter();
    writer.u8(0);
    writer.u8(255);
    writer.bytes(Uint8Array.of(1, 2, 3));
    writer.latin1("a\xff\u0000");
    expect(writer.size).toBe(8);
    const reader = new BinaryReader(writer.finish(), "a document");
    expect(reader.remaining).toBe(8);
    expect([reader.u8(), reader.u8()]).toEqual([0, 255]);
    expect([...reader.bytes(3)]).toEqual([1, 2, 3]);
    expect(reader.latin1(3)).toBe("a\xff\u0000");
    expect(reader.remaining).toBe(0);
    reader.finish();
  });

  test("grow as far as they must", () => {
    const writer = new BinaryWriter();
    const parts = Array.from({ length: 50 }, (_, at) => new Uint8Array(at * 31).fill(at));
    for (const part of parts) writer.bytes(part);
    expect(Buffer.compare(writer.finish(), Buffer.concat(parts))).toBe(0);
  });

  test("are named in errors with the place reached", () => {
    const reader = new BinaryReader(Uint8Array.of(1, 2, 3), "the table");
    reader.u8();
    expect(() => reader.bytes(5)).toThrow(
      "the table ends too early: expected 5 bytes more, got 2 (at byte 1)",
    );
    expect(() => reader.finish()).toThrow("the table has 2 bytes too many (at byte 1)");
  });

  test("that begin within a larger buffer are read alone", () => {
    const reader = new BinaryReader(Uint8Array.of(9, 1, 2, 9).subarray(1, 3), "a part");
    expect([...reader.bytes(2)]).toEqual([1, 2]);
    expect(() => reader.u8()).toThrow(invalid);
  });

  test("hold bytes only where a byte was meant", () => {
    expect(() => new BinaryWriter().u8(256)).toThrow("256 is not a byte");
    expect(() => new BinaryWriter().u8(-1)).toThrow("-1 is not a byte");
  });
});

function write(act: (writer: BinaryWriter) => void): string {
  const writer = new BinaryWriter();
  act(writer);
  return Buffer.from(writer.finish()).toString("hex");
}

function read(hex: string): BinaryReader {
  return new BinaryReader(Buffer.from(hex, "hex"), "a number");
}
