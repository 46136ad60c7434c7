import { describe, expect, it } from "vitest";
import { type DifftarEntry, DifftarReader } from "../../src/duplicity/difftar.js";
import { EntryOrder } from "../../src/duplicity/entry-order.js";
import { ascii, cut, FEEDS, hex } from "../support/bytes.js";
import { concat, deletion, directory, longName, tarEntry } from "../support/tar.js";
import { FULL_VOLUME, INCREMENT_VOLUME } from "../support/tiny-repository.js";

function read(bytes: Uint8Array, feed: number = Number.MAX_SAFE_INTEGER, order = new EntryOrder()) {
  const reader = new DifftarReader("volume 1", order);
  const events = cut(bytes, feed).flatMap((piece) => [...reader.push(piece)]);
  reader.finish();
  return {
    entries: events.flatMap((event) => (event.kind === "entry" ? [event.entry] : [])),
    data: hex(
      Buffer.concat(events.flatMap((event) => (event.kind === "data" ? [event.bytes] : []))),
    ),
  };
}

const summary = ({ kind, path, piece, object }: DifftarEntry) => [kind, path, piece, object.type];
const named = (...names: readonly string[]) => concat(...names.map((name) => tarEntry({ name })));

describe("DifftarReader", () => {
  it("reads the full volume of duplicity-format 12, however it is fed", () => {
    for (const feed of FEEDS) {
      const { entries, data } = read(FULL_VOLUME, feed);
      expect(entries.map(summary)).toEqual([
        ["snapshot", "", undefined, "directory"],
        ["snapshot", "d", undefined, "directory"],
        ["snapshot", "f", undefined, "file"],
        ["snapshot", "l", undefined, "symlink"],
      ]);
      expect(entries[2]).toMatchObject({
        dataOffset: 1536,
        sizeBytes: 6,
        attributes: { mode: 0o644, mtime: 1600000000 },
      });
      expect(entries[3]?.object).toEqual({ type: "symlink", target: "f" });
      expect(data).toBe(hex(ascii("hello\n")));
    }
  });

  it("reads the increment of duplicity-format 12, however it is fed", () => {
    for (const feed of FEEDS) {
      const { entries, data } = read(INCREMENT_VOLUME, feed);
      expect(entries.map(summary)).toEqual([
        ["snapshot", "", undefined, "directory"],
        ["deleted", "d", undefined, "file"],
        ["diff", "f", undefined, "file"],
        ["snapshot", "g", undefined, "file"],
      ]);
      expect(data).toBe("727302360c68656c6c6f20776f726c640a0078");
    }
  });

  it("refuses every cut that is not between entries", () => {
    for (let size = 1; size < INCREMENT_VOLUME.length; size++) {
      const cutShort = INCREMENT_VOLUME.subarray(0, size);
      const isBoundary = [512, 1024, 2048].includes(size);
      if (isBoundary) expect(read(cutShort).entries.length).toBeGreaterThan(0);
      else expect(() => read(cutShort)).toThrow(/ends inside an entry/);
    }
  });

  it("takes the kind up to the first slash and the piece from the last", () => {
    const bytes = named(
      "multivol_snapshot/names/diff/12/1",
      "multivol_snapshot/names/diff/12/2",
      "snapshot/snapshot/x",
    );
    expect(read(bytes).entries.map(summary)).toEqual([
      ["snapshot", "names/diff/12", 1, "file"],
      ["snapshot", "names/diff/12", 2, "file"],
      ["snapshot", "snapshot/x", undefined, "file"],
    ]);
  });

  it("reads the pieces of a delta", () => {
    expect(read(named("multivol_diff/x/1", "multivol_diff/x/2")).entries.map(summary)).toEqual([
      ["diff", "x", 1, "file"],
      ["diff", "x", 2, "file"],
    ]);
  });

  it.each(["snapshot/./", "snapshot/", "snapshot/."])("takes %j for the root", (name) => {
    expect(read(tarEntry({ name, type: "5" })).entries[0]?.path).toBe("");
  });

  it("treats our own folder like any other", () => {
    expect(read(named("snapshot/.dupmirror/journal")).entries[0]?.path).toBe(".dupmirror/journal");
  });

  it.each([
    ["snapshot", /has no path/],
    ["", /has no path/],
    ["other/x", /unknown kind/],
    ["Snapshot/x", /unknown kind/],
    ["multivol_snapshot/x", /has no number/],
    ["multivol_snapshot/x/0", /has no number/],
    ["multivol_snapshot/x/01", /has no number/],
    ["multivol_snapshot/x/-1", /has no number/],
    ["multivol_snapshot/x/1/", /has no number/],
    ["deleted/", /delete the root/],
    ["deleted/.", /delete the root/],
  ])("refuses the name %j", (name, message) => {
    expect(() => read(named(name))).toThrow(message);
  });

  it.each([
    "snapshot/../x",
    "snapshot/a/../../x",
    "snapshot//etc",
    "deleted/a//b",
    "diff/./x",
    "multivol_diff/../1",
    "snapshot/a/./",
  ])("refuses the path in %j", (name) => {
    expect(() => read(named(name))).toThrow(expect.objectContaining({ code: "PATH_REFUSED" }));
  });

  it("refuses a component that no file system has", () => {
    const bytes = concat(longName(`snapshot/${"n".repeat(256)}`), named("cut"));
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: "PATH_REFUSED" }));
  });

  it.each([
    ["a delta of a directory", { name: "diff/x/", type: "5" }, /directory, not a file/],
    ["a piece of a link", { name: "multivol_snapshot/x/1", type: "2" }, /symlink, not a file/],
    ["a deletion with data", { name: "deleted/x", data: ascii("x") }, /deletion with content/],
    ["a deletion of type directory", { name: "deleted/x", type: "5" }, /deletion with content/],
  ])("refuses %s", (_, fields, message) => {
    expect(() => read(tarEntry(fields))).toThrow(message);
  });
});

describe("the order of entries", () => {
  it("is that of components, as duplicity writes it", () => {
    const names = [
      "order/B",
      "order/a/",
      "order/a/z",
      "order/a\x01",
      "order/a b",
      "order/a-x",
      "order/a.d/",
      "order/a.d/k",
    ];
    const paths = [...names, "order/a.txt", "order/a0", "order/a\xff", "order/b/"];
    const entries = paths.map((path) =>
      path.endsWith("/") ? directory(path.slice(0, -1)) : named(`snapshot/${path}`),
    );
    expect(read(concat(...entries)).entries).toHaveLength(12);
  });

  it.each([
    ["an entry that comes twice", ["snapshot/a", "snapshot/a"], /out of order/],
    ["an entry before one that came", ["snapshot/b", "snapshot/a"], /out of order/],
    ["a parent after its child", ["snapshot/a/b", "snapshot/a"], /out of order/],
    [
      "a child after its parent's neighbour",
      ["snapshot/a", "snapshot/a b", "snapshot/a/b"],
      /out of order/,
    ],
    ["a first piece other than 1", ["multivol_snapshot/a/2"], /piece 2 of a is the first/],
    [
      "a missing piece",
      ["multivol_diff/a/1", "multivol_diff/a/3"],
      /piece 3 of a follows its piece 1/,
    ],
    [
      "a piece that comes twice",
      ["multivol_diff/a/1", "multivol_diff/a/1"],
      /piece 1 of a follows its piece 1/,
    ],
    ["pieces of two kinds", ["multivol_diff/a/1", "multivol_snapshot/a/2"], /piece 2 of a follows/],
    ["a piece of a whole file", ["snapshot/a", "multivol_snapshot/a/1"], /out of order/],
    ["a whole file after a piece", ["multivol_snapshot/a/1", "snapshot/a"], /out of order/],
  ])("forbids %s", (_, names, message) => {
    expect(() => read(named(...names))).toThrow(message);
  });

  it("holds over all volumes of a set", () => {
    const order = new EntryOrder();
    read(named("snapshot/a", "multivol_snapshot/b/1"), 512, order);
    expect(read(named("multivol_snapshot/b/2"), 512, order).entries.map(summary)).toEqual([
      ["snapshot", "b", 2, "file"],
    ]);
    expect(() => read(deletion("a"), 512, order)).toThrow(
      /entry a follows b, which is out of order/,
    );
  });
});
