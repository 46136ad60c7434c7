import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Striped, stripeCount, stripeSize } from "../../src/erasure/stripe.js";
import { MirrorError } from "../../src/errors.js";
import {
  blocksSize,
  type CodedFile,
  decodeFileTable,
  encodeFileTable,
  type Stripe,
  stripeOffsets,
} from "../../src/manifest/file-table.js";
import { digest } from "./samples.js";

const MIB = 1024 * 1024;
const SHAPE = { k: 2, n: 3 };
const invalid: unknown = expect.objectContaining({ code: "DOCUMENT_INVALID" });

const VOLUME: CodedFile = {
  name: "duplicity-inc.20231114T221320Z.to.20231114T221420Z.vol1.difftar",
  role: "volume",
  number: 1,
  wrapping: "plain",
  sizeBytes: MIB + 10_000,
  stripeSizeBytes: MIB,
  hash: digest("volume 1"),
  pack: 3,
  offset: 4096,
  stripes: [stripe(300_001), stripe(undefined, 10_000)],
};

const NEXT_VOLUME: CodedFile = {
  ...VOLUME,
  name: "duplicity-inc.20231114T221320Z.to.20231114T221420Z.vol2.difftar",
  number: 2,
  sizeBytes: 7,
  offset: 4096 + 150_008 + 5000,
  stripes: [stripe(undefined, 7)],
};

describe("a file table", () => {
  test("is written as it always was", () => {
    const hex = Buffer.from(encodeFileTable([VOLUME, NEXT_VOLUME], SHAPE)).toString("hex");
    const hash = (text: string) => Buffer.from(digest(text)).toString("hex");
    const hashes = hash("block 0") + hash("block 1") + hash("block 2");
    expect(hex).toBe(
      [
        "01 02",
        `20 00 ${varintHex(1_700_000_060)} 3c`,
        `${varintHex(MIB + 10_000)} ${hash("volume 1")} 03 8020`,
        `${varintHex(300_001)} ${hashes} 00 ${hashes}`,
        `70 00 07 ${hash("volume 1")} 00 ${hashes}`,
      ]
        .join(" ")
        .replaceAll(" ", ""),
    );
  });

  test("is read as it was written", () => {
    const files = [VOLUME, NEXT_VOLUME];
    expect(decodeFileTable(encodeFileTable(files, SHAPE), SHAPE).map(plain)).toEqual(
      files.map(plain),
    );
    expect(decodeFileTable(encodeFileTable([], SHAPE), SHAPE)).toEqual([]);
  });

  test.each([
    ["duplicity-full.20231114T221320Z.manifest", "manifest", "plain"],
    ["duplicity-full.20231114T221320Z.manifest.gpg", "manifest", "gpg"],
    ["duplicity-full-signatures.20231114T221320Z.sigtar.gz", "signatures", "gzip"],
    ["duplicity-new-signatures.20231114T221320Z.to.20231114T221420Z.sigtar", "signatures", "plain"],
    ["dns.s44we8.s44wfw.st.g", "signatures", "gpg"],
    ["prefix-duplicity-full.20231114T221320Z.manifest", "manifest", "plain"],
    ["duplicity-full.2023-11-14T17:13:20-05:00.manifest", "manifest", "plain"],
    ["pr\xe9fix-dfs.s44we8.st", "signatures", "plain"],
  ] as const)("holds the name %s", (name, role, wrapping) => {
    const file = { ...VOLUME, name, role, wrapping, number: 0 };
    expect(decodeFileTable(encodeFileTable([file], SHAPE), SHAPE).map(plain)).toEqual([
      plain(file),
    ]);
  });

  test("holds a name that says otherwise than the table", () => {
    const file = { ...VOLUME, number: 9 };
    const [read] = decodeFileTable(encodeFileTable([file], SHAPE), SHAPE);
    expect([read?.name, read?.number]).toEqual([VOLUME.name, 9]);
  });

  test("of a small increment's only volume takes few bytes beside its hashes", () => {
    const file = { ...VOLUME, sizeBytes: 5000, stripes: [stripe(900)] };
    expect(encodeFileTable([file], SHAPE).length).toBeLessThan(4 * 32 + 20);
  });

  test("of any files is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(anyFile(), { maxLength: 5 }), (files) => {
        const read = decodeFileTable(encodeFileTable(files, SHAPE), SHAPE);
        expect(read.map(plain)).toEqual(files.map(plain));
      }),
    );
  });

  test("places the blocks of its stripes one after the other", () => {
    expect(stripeOffsets(VOLUME, SHAPE)).toEqual([4096, 4096 + 150_008]);
    expect(blocksSize(VOLUME, SHAPE)).toBe(150_008 + 5000);
    const empty = { ...VOLUME, sizeBytes: 0, stripes: [] };
    expect([stripeOffsets(empty, SHAPE), blocksSize(empty, SHAPE)]).toEqual([[], 0]);
  });
});

describe("a file table is refused", () => {
  const bytes = Buffer.from(encodeFileTable([VOLUME, NEXT_VOLUME], SHAPE));

  test("cut anywhere, or with something after it", () => {
    for (let size = 0; size < bytes.length; size++) {
      expect(() => decodeFileTable(bytes.subarray(0, size), SHAPE)).toThrow(invalid);
    }
    expect(() => decodeFileTable(Buffer.concat([bytes, Buffer.of(0)]), SHAPE)).toThrow(invalid);
  });

  test("or is another table, with any byte changed, but never harms", () => {
    for (const [at, byte] of bytes.entries()) {
      for (const changed of [byte ^ 1, byte ^ 0x40, byte ^ 0x80, 0xff]) {
        const bad = Buffer.from(bytes);
        bad[at] = changed;
        expect(outcomeOf(bad)).toBe("read or refused");
      }
    }
  });

  test("whatever the bytes are, in no other way", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => {
        expect(outcomeOf(Buffer.concat([Buffer.of(1), rest]))).toBe("read or refused");
      }),
    );
  });

  test("when it claims a file larger than itself", () => {
    const claim = Buffer.from(
      `0101 20 00 ${varintHex(1_700_000_060)} 3c ffffffffffffff0f`.replaceAll(" ", ""),
      "hex",
    );
    const table = Buffer.concat([claim, Buffer.alloc(34)]);
    expect(() => decodeFileTable(table, SHAPE)).toThrow("ends within a file's stripes");
  });

  test.each(["", ".", "..", "a/b", "a\0", "x".repeat(256)])("with the file name %j", (name) => {
    const table = encodeFileTable([{ ...VOLUME, name }], SHAPE);
    expect(() => decodeFileTable(table, SHAPE)).toThrow("a name that is none");
  });

  test("with stripes that are none or the usual size", () => {
    const table = Buffer.from(
      encodeFileTable([{ ...NEXT_VOLUME, stripeSizeBytes: MIB / 4 }], SHAPE),
    );
    const at = table.indexOf(Buffer.of(7, 18)) + 1;
    expect(decodeFileTable(table, SHAPE)).toMatchObject([{ stripeSizeBytes: MIB / 4 }]);
    for (const exponent of [0, 16, 20, 255]) {
      table[at] = exponent;
      expect(() => decodeFileTable(table, SHAPE)).toThrow("has stripes of");
    }
  });

  test("of another version or with unknown flags", () => {
    expect(() => decodeFileTable(Buffer.of(2, 0), SHAPE)).toThrow("version 2, expected 1");
    expect(() => decodeFileTable(Buffer.of(1, 1, 0x03), SHAPE)).toThrow("unknown flags (3)");
    expect(() => decodeFileTable(Buffer.of(1, 1, 0x0c), SHAPE)).toThrow("unknown flags (12)");
    expect(() => decodeFileTable(Buffer.of(1, 1, 0x31), SHAPE)).toThrow("the same set as none");
  });
});

function stripe(compressedSizeBytes: number | undefined, rawSizeBytes = 0): Stripe {
  return {
    compression: compressedSizeBytes === undefined ? "none" : "brotli",
    storedSizeBytes: compressedSizeBytes ?? rawSizeBytes,
    blockHashes: Buffer.concat([digest("block 0"), digest("block 1"), digest("block 2")]),
  };
}

function anyFile(): fc.Arbitrary<CodedFile> {
  return fc
    .record({
      name: fc.constantFrom(
        VOLUME.name,
        NEXT_VOLUME.name,
        "duplicity-full.20231114T221320Z.vol7.difftar.gz",
        "x",
      ),
      role: fc.constantFrom("volume" as const, "manifest" as const, "signatures" as const),
      wrapping: fc.constantFrom("plain" as const, "gzip" as const, "gpg" as const),
      number: fc.integer({ min: 1, max: 1e12 }),
      sizeBytes: fc.constantFrom(0, 2, 1000, MIB, MIB + 1, 3 * MIB),
      stripeSizeBytes: fc.constantFrom(MIB, MIB / 2, MIB / 4, MIB / 8),
      pack: fc.nat(),
      offset: fc.integer({ min: 0, max: 2 ** 50 }),
    })
    .map((file) => ({
      ...file,
      number: file.role === "volume" ? file.number : 0,
      hash: digest(file.name),
      stripes: stripesOf(file),
    }));
}

/** Compressed to one byte where that is less, else as they are. */
function stripesOf(file: Striped): Stripe[] {
  const sizes = Array.from({ length: stripeCount(file) }, (_, at) => stripeSize(file, at));
  return sizes.map((size) => (size > 1 ? stripe(1) : stripe(undefined, size)));
}

/** With plain arrays for bytes, whatever kind of array holds them. */
function plain(file: CodedFile): unknown {
  const stripes = file.stripes.map((each) => ({ ...each, blockHashes: [...each.blockHashes] }));
  return { ...file, hash: [...file.hash], stripes };
}

function outcomeOf(bytes: Uint8Array): string {
  try {
    decodeFileTable(bytes, SHAPE);
    return "read or refused";
  } catch (error) {
    return error instanceof MirrorError && error.code === "DOCUMENT_INVALID"
      ? "read or refused"
      : String(error);
  }
}

function varintHex(value: number): string {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]).toString("hex");
}
