import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BinaryWriter } from "../../src/bytes/binary-writer.js";
import { compareTreePaths, type TreePath, toTreePath } from "../../src/bytes/tree-path.js";
import { isMirrorError } from "../../src/errors.js";
import {
  type Attributes,
  type ContentsEntry,
  type DataRun,
  decodeContentsPage,
  decodeDataRuns,
  encodeContentsPage,
} from "../../src/manifest/contents.js";
import { packPage } from "../../src/manifest/table.js";
import { plainEntry, readBack } from "./read-back.js";
import { digest } from "./samples.js";

const ATTRIBUTES: Attributes = {
  mode: 0o644,
  uid: 1000,
  gid: 100,
  userName: "mirror",
  groupName: "users",
  mtime: 1_700_000_000,
};

const ENTRIES: readonly ContentsEntry[] = [
  object("", { type: "directory" }),
  object("a", { type: "directory" }),
  { kind: "deleted", path: toTreePath("a/b") },
  snapshot("a/caf\xe9", 700, [single(1, 1024, 700)]),
  snapshot("a/empty", 0, []),
  object("a/fifo", { type: "fifo" }),
  object("a/link", { type: "symlink", target: "../b\xff/\n" }),
  object("a-b", { type: "blockDevice", major: 8, minor: 1 }),
  object("b", { type: "characterDevice", major: 4095, minor: 1_048_575 }),
  {
    kind: "diff",
    path: toTreePath("c/diff"),
    attributes: { ...ATTRIBUTES, mtime: 0, mode: 0o4755, userName: "", groupName: "" },
    sizeBytes: 5_000_000_000,
    data: [single(1, 5120, 77), single(2, 512, 30)],
    signature: { blockLength: 2048, digest: digest("diff").subarray(0, 8) },
  },
  {
    kind: "snapshot",
    path: toTreePath("c/pieces"),
    attributes: ATTRIBUTES,
    sizeBytes: 3 * 65_536 + 10 + 65_536,
    data: [
      { volume: 2, offset: 2048, pieceSizeBytes: 65_536, pieceCount: 3, strideBytes: 66_048 },
      single(2, 200_192, 10),
      single(9, 512, 65_536),
    ],
    signature: { blockLength: 512, digest: digest("pieces").subarray(0, 8) },
  },
  {
    kind: "rewrite",
    path: toTreePath("c/rewritten"),
    attributes: ATTRIBUTES,
    sizeBytes: 7,
    data: [single(9, 66_560, 14)],
    signature: { blockLength: 512, digest: digest("rewritten").subarray(0, 8) },
  },
  {
    kind: "prefix",
    path: toTreePath("c/touched"),
    attributes: { ...ATTRIBUTES, mtime: 2 ** 53 - 1 },
    sizeBytes: 0,
    data: [],
    signature: { blockLength: 512, digest: digest("touched").subarray(0, 8) },
  },
  { ...snapshot("c/z", 1, [single(9, 512 + 66_048, 1)]), attributes: { ...ATTRIBUTES, mtime: 3 } },
];

describe("a page of contents", () => {
  test("is written as it always was", () => {
    expect(Buffer.from(encodeContentsPage(ENTRIES.slice(0, 4))).toString("hex")).toBe(GOLDEN);
  });

  test("is read as it was written", () => {
    expect(readBack(ENTRIES)).toEqual(ENTRIES.map(plainEntry));
    expect(readBack([])).toEqual([]);
  });

  test("of any entries is read as it was written", () => {
    fc.assert(
      fc.property(anyEntries(), (entries) => {
        expect(readBack(entries)).toEqual(entries.map(plainEntry));
      }),
      { numRuns: 300 },
    );
  });

  test("tells where data lies without the rest", () => {
    fc.assert(
      fc.property(anyEntries(), (entries) => {
        const data = entries.map((entry) => ("data" in entry ? entry.data : []));
        expect(decodeDataRuns(encodeContentsPage(entries))).toEqual(data);
      }),
      { numRuns: 300 },
    );
  });

  test("of a hundred changed files in one place takes less than 2.5 KiB when packed", async () => {
    const entries = Array.from({ length: 100 }, (_, at) => changedFile(at));
    const page = await packPage(encodeContentsPage(entries));
    expect(page.length).toBeLessThan(2560);
    expect(readBack(entries)).toEqual(entries.map(plainEntry));
  });

  test("has 4096 entries at most", () => {
    const entries = Array.from({ length: 4097 }, (_, at) => changedFile(at));
    const page = encodeContentsPage(entries.slice(0, 4096));
    expect([...decodeContentsPage(page)]).toHaveLength(4096);
    expect(() => encodeContentsPage(entries)).toThrow("too many entries for a page");
  });

  test("never takes entries out of order", () => {
    const [first, second] = [
      { kind: "deleted", path: toTreePath("b") },
      { kind: "deleted", path: toTreePath("a") },
    ] as const;
    expect(() => encodeContentsPage([first, second])).toThrow("out of index order");
    expect(() => encodeContentsPage([first, first])).toThrow("out of index order");
  });
});

describe("a page of contents is refused", () => {
  const bytes = Buffer.from(encodeContentsPage(ENTRIES));

  test("cut anywhere, or with something after it", () => {
    for (let size = 0; size < bytes.length; size++) {
      expect(outcomeOf(bytes.subarray(0, size))).toBe("refused");
    }
    expect(outcomeOf(Buffer.concat([bytes, Buffer.of(0)]))).toBe("refused");
  });

  test("or is another page in order, with any byte changed, but never harms", () => {
    for (const [at, byte] of bytes.entries()) {
      for (const changed of [byte ^ 1, byte ^ 0x20, byte ^ 0x80, 0, 0xff]) {
        const bad = Buffer.from(bytes);
        bad[at] = changed;
        expect(outcomeOf(bad)).toMatch(/^(read|refused)$/);
      }
    }
  });

  test("whatever the bytes are, in no other way", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (rest, count) => {
        expect(outcomeOf(Buffer.concat([Buffer.of(1, count), rest]))).toMatch(/^(read|refused)$/);
      }),
    );
  });

  test.each([
    ["of another version", "02", "is of version 2, expected 1"],
    ["with more entries than a page has", "018120", "has 4097 entries"],
    [
      "with a path that leaves the tree",
      page({ tags: "00", names: "0002", texts: "2e2e" }),
      "path .. has a component",
    ],
    [
      "with an absolute path",
      page({ tags: "00", names: "0002", texts: "2f61" }),
      "has an empty component",
    ],
    [
      "with a first path that shares",
      page({ tags: "00", names: "0101", texts: "61" }),
      "a path at the beginning",
    ],
    ["with a path too long", page({ tags: "00", names: "008020" }), "a path of 4096 bytes"],
    ["with an unknown tag", page({ tags: "0a", names: "0001", texts: "61" }), "unknown tag"],
    [
      "with flags on a deletion",
      page({ tags: "10", names: "0001", texts: "61" }),
      "unknown flags (16)",
    ],
    [
      "with a file without its data",
      page({ tags: "06", names: "0001", texts: "61", sizes: "05", runs: "00" }),
      "5 bytes with 0 bytes of data",
    ],
    [
      "with a whole file of no bytes",
      page({ tags: "26", names: "0001", texts: "61", sizes: "00", runs: "0202" }),
      "no volume can hold",
    ],
    [
      "with data in volume 0",
      page({ tags: "26", names: "0001", texts: "61", sizes: "05", runs: "0002" }),
      "no volume can hold",
    ],
    [
      "with data before its volume",
      page({ tags: "26", names: "0001", texts: "61", sizes: "05", runs: "0201" }),
      "no volume can hold",
    ],
    [
      "with more runs than bytes",
      page({ tags: "07", names: "0001", texts: "61", sizes: "05", runs: "ff7f00" }),
      "has 16383 runs",
    ],
    [
      "with data beyond 2^53",
      page({
        tags: "07",
        names: "0001",
        texts: "61",
        sizes: "05",
        runs: "010200ffffffffffffff0fffffffffffffff0f00",
      }),
      "no volume can hold|above 2",
    ],
    [
      "with more runs than any file has",
      page({
        tags: "07",
        names: "0001",
        texts: "61",
        sizes: "05",
        runs: `818010${"00".repeat(300_000)}`,
      }),
      "has 262145 runs",
    ],
    [
      "with a signature of blocks of no bytes",
      page({
        tags: "18",
        names: "0001",
        texts: "61",
        sizes: "05",
        blockLengths: "00",
        digests: "00".repeat(8),
      }),
      "blocks of 0 bytes",
    ],
    [
      "with more owners than entries",
      page({ tags: "01", names: "0001", texts: "61" }, "0000000000".repeat(2)),
      "more owners than entries",
    ],
    [
      "with an owner that is not there",
      page({ tags: "01", names: "0001", texts: "61" }, ""),
      "names an owner",
    ],
    [
      "with a mode of 13 bits",
      page({ tags: "01", names: "0001", texts: "61" }, "8040000000 00"),
      "more than twelve bits",
    ],
    [
      "with something left over",
      page({ tags: "00", names: "0001", texts: "6161" }),
      "bytes too many",
    ],
  ])("%s", (_, hex, message) => {
    const read = () => [...decodeContentsPage(Buffer.from(hex, "hex"))];
    expect(read).toThrow(new RegExp(message.replaceAll(/[().]/g, "\\$&")));
    expect(outcomeOf(Buffer.from(hex, "hex"))).toBe("refused");
  });

  test("when its paths are out of order or come twice", () => {
    for (const names of ["00010001", "00010100"]) {
      const hex = page({ tags: "0000", names, texts: "6261" }, "");
      expect(outcomeOf(Buffer.from(hex, "hex"))).toBe("refused");
    }
  });
});

const GOLDEN =
  "0104" + // version, entries
  "12a403e80764066d6972726f72057573657273" + // owners: 0644, 1000, 100, mirror, users
  "0401010026" + // tags
  "080000000101020204" + // names: shared and added bytes
  "07612f62636166e9" + // texts
  "03000000" + // owner numbers
  "0780c49fd50c0000" + // times
  "02bc05" + // sizes: 700
  "03028010" + // runs: volume 1, offset 1024
  "0000"; // block lengths, digests

function object(
  path: string,
  special: Extract<ContentsEntry, { kind: "object" }>["object"],
): ContentsEntry {
  return { kind: "object", path: toTreePath(path), attributes: ATTRIBUTES, object: special };
}

function snapshot(path: string, sizeBytes: number, data: readonly DataRun[]) {
  return {
    kind: "snapshot",
    path: toTreePath(path),
    attributes: ATTRIBUTES,
    sizeBytes,
    data,
  } as const;
}

function single(volume: number, offset: number, sizeBytes: number): DataRun {
  return { volume, offset, pieceSizeBytes: sizeBytes, pieceCount: 1, strideBytes: sizeBytes };
}

/** One of many files of a package pool, changed one after the other. */
function changedFile(at: number): ContentsEntry {
  const name = `python3-module${String(at * 7).padStart(6, "0")}_1.${at % 10}-${at % 3}_all.deb`;
  const sizeBytes = 400 + ((at * 7919) % 3000);
  return {
    kind: "diff",
    path: toTreePath(`pool/main/p/python3/${name}`),
    attributes: { ...ATTRIBUTES, mtime: 1_700_000_000 + ((at * 7919) % 86_400) },
    sizeBytes: 20_000 + ((at * 104_729) % 1_000_000),
    data: [single(1, 512 + at * 4096, sizeBytes)],
    signature: { blockLength: 512, digest: digest(name).subarray(0, 8) },
  };
}

function anyEntries(): fc.Arbitrary<ContentsEntry[]> {
  const name = fc.string({
    unit: fc.constantFrom("a", "b", "-", "\xe9"),
    minLength: 1,
    maxLength: 3,
  });
  const paths = fc
    .uniqueArray(
      fc.array(name, { maxLength: 3 }).map((parts) => toTreePath(parts.join("/"))),
      { maxLength: 12 },
    )
    .map((list) => list.sort(compareTreePaths));
  return paths.chain((list) => fc.tuple(...list.map(anyEntry)));
}

function anyEntry(path: TreePath): fc.Arbitrary<ContentsEntry> {
  const attributes = fc.record({
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.nat(),
    gid: fc.nat(3),
    userName: fc.constantFrom("", "a", "\xff"),
    groupName: fc.constantFrom("", "a"),
    mtime: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  });
  const signature = { blockLength: 512, digest: digest(path).subarray(0, 8) };
  const size = fc.integer({ min: 1, max: 1e12 });
  const run = fc.record({
    volume: fc.integer({ min: 1, max: 9 }),
    offset: fc.nat(),
    sizeBytes: size,
  });
  const data = fc.array(
    run.map((each) => single(each.volume, each.offset, each.sizeBytes)),
    { maxLength: 3 },
  );
  const kind = path;
  return fc.oneof(
    fc.constant({ kind: "deleted" as const, path: kind }),
    attributes.map((each) => ({
      kind: "object" as const,
      path,
      attributes: each,
      object: { type: "directory" as const },
    })),
    fc.tuple(attributes, fc.string({ unit: fc.constantFrom("/", "x") })).map(([each, target]) => ({
      kind: "object" as const,
      path,
      attributes: each,
      object: { type: "symlink" as const, target },
    })),
    fc.tuple(attributes, data).map(([each, runs]) => ({
      kind: "snapshot" as const,
      path,
      attributes: each,
      sizeBytes: runs.reduce((sum, { pieceSizeBytes }) => sum + pieceSizeBytes, 0),
      data: runs,
      signature,
    })),
    fc.tuple(attributes, data, size).map(([each, runs, sizeBytes]) => ({
      kind: "diff" as const,
      path,
      attributes: each,
      sizeBytes,
      data: runs,
    })),
  );
}

/** A page of entries with these columns in hex, the owner of mode 0 and numbers 0, and what every entry needs. */
function page(
  columns: { tags: string; names: string } & Partial<
    Record<"texts" | "sizes" | "runs" | "blockLengths" | "digests", string>
  >,
  owners = "0000000000",
): string {
  const { tags, names, texts = "", sizes = "", runs = "" } = columns;
  const { blockLengths = "", digests = "" } = columns;
  const hasAttributes = tags === "00" || tags === "0000" ? "" : "00";
  const list = [
    owners,
    tags,
    names,
    texts,
    hasAttributes,
    hasAttributes,
    sizes,
    runs,
    blockLengths,
    digests,
  ];
  const coded = list.map((hex) => {
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    const writer = new BinaryWriter();
    writer.varint(bytes.length);
    writer.bytes(bytes);
    return Buffer.from(writer.finish()).toString("hex");
  });
  return `01${(tags.length / 2).toString(16).padStart(2, "0")}${coded.join("")}`;
}

function outcomeOf(bytes: Uint8Array): string {
  try {
    const paths = [...decodeContentsPage(bytes)].map(({ path }) => path);
    const isOrdered = paths.every(
      (path, at) => at === 0 || compareTreePaths(paths[at - 1] ?? path, path) < 0,
    );
    return isOrdered ? "read" : "out of order";
  } catch (error) {
    return isMirrorError(error, "DOCUMENT_INVALID", "PATH_REFUSED") ? "refused" : String(error);
  }
}
