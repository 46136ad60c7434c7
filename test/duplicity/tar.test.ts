import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TarEvent, TarReader } from "../../src/duplicity/tar.js";
import { ascii, cut, FEEDS, pattern } from "../support/bytes.js";
import { concat, directory, longName, paxHeader, tarEntry } from "../support/tar.js";

const ZEROS = new Uint8Array(512);
const DEFAULTS = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  userName: "root",
  groupName: "root",
  mtime: 1600000000,
};

function read(bytes: Uint8Array, feed: number = Number.MAX_SAFE_INTEGER): TarEvent[] {
  const reader = new TarReader("volume 1");
  const events = cut(bytes, feed).flatMap((piece) => [...reader.push(piece)]);
  reader.finish();
  return events;
}

/** Entries with their data, which may come in any number of events. */
function collect(events: readonly TarEvent[]) {
  const entries: { name: string; dataOffset: number; data: string; whole: boolean }[] = [];
  for (const event of events) {
    if (event.kind === "entry") {
      entries.push({
        name: event.header.name,
        dataOffset: event.dataOffset,
        data: "",
        whole: false,
      });
    }
    const last = entries.at(-1);
    if (last === undefined) throw new Error("no entry comes first");
    if (event.kind === "data") last.data += Buffer.from(event.bytes).toString("latin1");
    if (event.kind === "end") last.whole = true;
  }
  return entries;
}

function header(bytes: Uint8Array) {
  const [first] = read(bytes);
  if (first?.kind !== "entry") throw new Error("no entry");
  return first.header;
}

/** All that a stream may hold: extended headers of both flavours, empty and padded data. */
const STREAM = concat(
  directory("."),
  tarEntry({ name: "snapshot/a", data: ascii("hello\n") }),
  paxHeader({ path: `snapshot/${"b".repeat(120)}` }),
  tarEntry({ name: "snapshot/bbb", data: pattern(512) }),
  tarEntry({ name: "snapshot/c" }),
  longName(`snapshot/${"d".repeat(700)}`),
  tarEntry({ name: "snapshot/ddd", magic: "ustar  \0", data: pattern(1025) }),
);
const BOUNDARIES = [0, 512, 1536, 1536 + 1024 + 1024, 4096, 4096 + 1536 + 512 + 1536];

describe("TarReader", () => {
  it("gives entries, the place of their data, and the data, however it is fed", () => {
    const whole = collect(read(STREAM));
    expect(
      whole.map(({ name, dataOffset, data }) => [name.length, dataOffset, data.length]),
    ).toEqual([
      [11, 512, 0],
      [10, 1024, 6],
      [129, 3072, 512],
      [10, 4096, 0],
      [709, 6144, 1025],
    ]);
    for (const feed of FEEDS) expect(collect(read(STREAM, feed))).toEqual(whole);
    expect(whole.every((entry) => entry.whole)).toBe(true);
  });

  it("does not copy data", () => {
    const bytes = tarEntry({ name: "snapshot/a", data: pattern(1000) });
    const data = new TarReader("volume 1").push(bytes)[1];
    expect(data).toMatchObject({
      kind: "data",
      bytes: { buffer: bytes.buffer, byteOffset: 512, length: 1000 },
    });
  });

  it("refuses every cut that is not between entries", () => {
    const lengths = Array.from({ length: STREAM.length }, (_, size) => size);
    const outcomes = lengths.map((size) => {
      try {
        collect(read(STREAM.subarray(0, size), 600));
        return size;
      } catch (error) {
        expect(error).toMatchObject({ code: "FORMAT_INVALID" });
        return undefined;
      }
    });
    expect(outcomes.filter((size) => size !== undefined)).toEqual(BOUNDARIES.slice(0, -1));
    expect(BOUNDARIES.at(-1)).toBe(STREAM.length);
  });

  it("gives the same entries for every way of cutting", () => {
    const whole = collect(read(STREAM));
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 8 }), (places) => {
        const reader = new TarReader("volume 1");
        const ends = [...places.sort((a, b) => a - b), STREAM.length];
        const events = ends.flatMap((end, at) =>
          reader.push(STREAM.subarray(ends[at - 1] ?? 0, end)),
        );
        reader.finish();
        expect(collect(events.flat())).toEqual(whole);
      }),
    );
  });
});

describe("the end of a stream", () => {
  const entry = tarEntry({ name: "snapshot/a", data: ascii("x") });

  it.each([
    ["comes without any mark", entry],
    ["is one block of zeros", concat(entry, ZEROS)],
    ["is zeros up to 10240 bytes", concat(entry, new Uint8Array(10240 - entry.length))],
    ["is one block of zeros, whatever garbage follows", concat(entry, ZEROS, pattern(1234))],
  ])("%s", (_, bytes) => {
    for (const feed of FEEDS) expect(collect(read(bytes, feed))).toHaveLength(1);
  });

  it("may be its beginning", () => {
    expect(read(new Uint8Array())).toEqual([]);
    expect(read(new Uint8Array(10240), 7)).toEqual([]);
  });

  it("is not a block of zeros that is cut", () => {
    expect(() => read(concat(entry, ZEROS.subarray(1)))).toThrow(/ends inside an entry/);
  });

  it.each([
    ["the end of the bytes", new Uint8Array()],
    ["a block of zeros", ZEROS],
  ])("does not come as %s after an extended header", (_, end) => {
    expect(() => read(concat(paxHeader({ path: "snapshot/a" }), end))).toThrow(/near byte 1024/);
  });
});

describe("a header", () => {
  it.each([
    ["0", {}, { type: "file" }],
    ["\0", {}, { type: "file" }],
    ["5", {}, { type: "directory" }],
    ["6", {}, { type: "fifo" }],
    ["2", { link: "../else\xff" }, { type: "symlink", target: "../else\xff" }],
    [
      "3",
      { major: "0000360\0", minor: "0210560\0" },
      { type: "characterDevice", major: 240, minor: 70000 },
    ],
    ["4", { major: "0000010\0", minor: "0000001\0" }, { type: "blockDevice", major: 8, minor: 1 }],
  ])("of type %j is read", (type, fields, object) => {
    expect(header(tarEntry({ name: "snapshot/x", type, ...fields }))).toEqual({
      name: "snapshot/x",
      object,
      attributes: DEFAULTS,
      sizeBytes: 0,
    });
  });

  it.each(["1", "7", "S", "g", "D", "\xff"])("of type %j is refused", (type) => {
    expect(() => read(tarEntry({ name: "snapshot/x", type }))).toThrow(
      /which duplicity does not write/,
    );
  });

  it("gives all attributes, of the mode only twelve bits", () => {
    const bytes = tarEntry({
      name: "snapshot/x",
      mode: "0107755\0",
      uid: "0001750\0",
      gid: " 0145 \0",
      mtime: "00000000000\0",
      userName: "m\xfcller",
      groupName: "",
    });
    expect(header(bytes).attributes).toEqual({
      mode: 0o7755,
      uid: 1000,
      gid: 0o145,
      mtime: 0,
      userName: "m\xfcller",
      groupName: "",
    });
  });

  it("may fill its fields to the last byte", () => {
    const text = "n".repeat(100);
    const bytes = tarEntry({
      name: text,
      type: "2",
      link: "l".repeat(100),
      userName: "u".repeat(32),
    });
    expect(header(bytes)).toMatchObject({
      name: text,
      object: { target: "l".repeat(100) },
      attributes: { userName: "u".repeat(32) },
    });
  });

  it("of POSIX flavour may have a prefix, of GNU flavour none", () => {
    expect(header(tarEntry({ name: "b", prefix: "a" })).name).toBe("a/b");
    expect(header(tarEntry({ name: "b", prefix: "a", magic: "ustar  \0" })).name).toBe("b");
  });

  it("may have numbers in base 256", () => {
    const bytes = tarEntry({
      name: "x",
      uid: "\x80\0\0\0\x80\0\0\0",
      mtime: "\x80\0\0\0\0\0\0\x02\0\0\0\0",
    });
    expect(header(bytes).attributes).toMatchObject({ uid: 2 ** 31, mtime: 2 ** 33 });
  });

  it.each([
    ["a number that is not octal", { uid: "000189\0\0" }, /not octal/],
    ["a negative number", { mtime: "\xff".repeat(12) }, /negative or above 2\^53/],
    ["a number of 2^53", { mtime: "\x80\0\0\0\0\x20\0\0\0\0\0\0" }, /negative or above 2\^53/],
    ["another magic", { magic: "hello\0" }, /no ustar magic/],
    ["data that only files have", { type: "5", size: "00000000001\0" }, /a directory has 1 bytes/],
  ])("with %s is refused", (_, fields, message) => {
    expect(() => read(tarEntry({ name: "snapshot/x", ...fields }))).toThrow(message);
  });

  it("is refused with any byte changed but the blank behind the checksum", () => {
    const bytes = tarEntry({ name: "snapshot/x" });
    for (const at of Array.from({ length: 512 }, (_, byte) => byte).filter(
      (byte) => byte !== 155,
    )) {
      const broken = bytes.slice();
      broken[at] = (broken[at] ?? 0) ^ 0x04;
      expect(() => read(broken)).toThrow(/near byte 0/);
    }
  });
});

describe("an extended header", () => {
  const plain = { name: "?", data: ascii("abc") };

  it("replaces what the header has", () => {
    const records = {
      hdrcharset: "BINARY",
      path: "snapshot/names/latin-\xe9\nnew line=",
      uid: "4294967294",
      gid: "2097152",
      mtime: "8589934592",
      uname: "\xc3\xbcser",
      gname: "g".repeat(40),
      comment: "nothing we know",
    };
    expect(header(concat(paxHeader(records), tarEntry(plain)))).toEqual({
      name: records.path,
      object: { type: "file" },
      attributes: {
        mode: 0o644,
        uid: 4294967294,
        gid: 2097152,
        mtime: 8589934592,
        userName: "\xc3\xbcser",
        groupName: "g".repeat(40),
      },
      sizeBytes: 3,
    });
  });

  it("is read as the bytes of duplicity-format 3.4", () => {
    const body = ascii("21 hdrcharset=BINARY\n31 path=snapshot/names/latin-\xe9\n");
    const bytes = concat(
      tarEntry({ name: "././@PaxHeader", type: "x", data: body }),
      tarEntry(plain),
    );
    expect(header(bytes).name).toBe("snapshot/names/latin-\xe9");
  });

  it("gives links their text, in both flavours", () => {
    const link = { name: "snapshot/l", type: "2", link: "cut" };
    const target = "t".repeat(300);
    expect(header(concat(paxHeader({ linkpath: target }), tarEntry(link))).object).toMatchObject({
      target,
    });
    expect(header(concat(longName(target, "K"), tarEntry(link))).object).toMatchObject({ target });
  });

  it("gives a file its size", () => {
    const bytes = concat(paxHeader({ size: "3" }), tarEntry({ ...plain, size: "00000000000\0" }));
    expect(collect(read(bytes))[0]?.data).toBe("abc");
  });

  it("counts for one entry only", () => {
    const events = read(concat(paxHeader({ path: "long" }), tarEntry(plain), tarEntry(plain)));
    expect(collect(events).map((entry) => entry.name)).toEqual(["long", "?"]);
  });

  it.each([
    ["no length", " path=x\n"],
    ["a length that is too long", "13 path=abc\n"],
    ["a length that is too short", "11 path=abc\n"],
    ["a length of 0", "0 path=abc\n"],
    ["a huge length", "99999999999999999999 path=abc\n"],
    ["no equals sign", "11 pathabc\n"],
    ["no end of line", "10 path=ab"],
  ])("with %s is refused", (_, text) => {
    const bytes = tarEntry({ name: "././@PaxHeader", type: "x", data: ascii(text) });
    expect(() => read(concat(bytes, tarEntry(plain)))).toThrow(/malformed at its byte/);
  });

  it.each([
    [{ uid: "-1" }, /uid is "-1"/],
    [{ mtime: "1.5" }, /mtime is "1.5"/],
    [{ size: "9007199254740992" }, /size is/],
    [{ hdrcharset: "KOI8-R" }, /unknown charset/],
    [{ "GNU.sparse.major": "1" }, /sparse/],
  ])("with %j is refused", (records, message) => {
    expect(() => read(concat(paxHeader(records), tarEntry(plain)))).toThrow(message);
  });

  it.each([
    ["of no bytes", "00000000000\0"],
    ["above 64 KiB", "00000200001\0"],
    ["that claims gigabytes", "77777777777\0"],
  ])("%s is refused before it is read", (_, size) => {
    const bytes = tarEntry({ name: "././@PaxHeader", type: "x", size });
    expect(() => new TarReader("volume 1").push(bytes)).toThrow(/extended header of \d+ bytes/);
  });

  it("of a long name needs its NUL", () => {
    const bytes = tarEntry({ name: "././@LongLink", type: "L", data: ascii("abc") });
    expect(() => read(concat(bytes, tarEntry(plain)))).toThrow(/without its NUL/);
  });
});
