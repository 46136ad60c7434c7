import { describe, expect, it } from "vitest";
import { parseManifest } from "../../src/duplicity/manifest.js";
import { ascii } from "../support/bytes.js";

const HASH = "    Hash SHA1 fd542d0fedd872d331c88674bc416f71aaaacede\n";
const volume = (number: number, start = ".  ", end = "z  ") =>
  `Volume ${number}:\n    StartingPath   ${start}\n    EndingPath     ${end}\n${HASH}`;
const HEAD = "Hostname vm\nLocaldir /srv/data\n";
const NO_FILES = "Filelist 0\n";

/** The example of duplicity-format 2. */
const EXAMPLE = `${HEAD}Volume 1:
    StartingPath   .  ${""}
    EndingPath     big/random.bin 15
    Hash SHA1 fd542d0fedd872d331c88674bc416f71aaaacede
Volume 2:
    StartingPath   big/random.bin 16
    EndingPath     types/utf8link  ${""}
    Hash SHA1 9feeb527774833ce187684f62d5db454c7c2416b
Filelist 3
    new      big/random.bin
    changed  "names/new\\x0aline"
    deleted  dirs/full/t3
`;

const parse = (text: string) => parseManifest(ascii(text));
const numbers = (text: string) => parse(text).volumes.map((listed) => listed.number);
const startOf = (quoted: string) => parse(HEAD + volume(1, quoted) + NO_FILES).volumes[0]?.start;

describe("parseManifest", () => {
  it("reads all that a manifest says", () => {
    expect(parse(EXAMPLE)).toEqual({
      hostName: "vm",
      localDirectory: "/srv/data",
      volumes: [
        {
          number: 1,
          start: { path: "" },
          end: { path: "big/random.bin", piece: 15 },
          hashes: [{ name: "SHA1", hex: "fd542d0fedd872d331c88674bc416f71aaaacede" }],
        },
        {
          number: 2,
          start: { path: "big/random.bin", piece: 16 },
          end: { path: "types/utf8link" },
          hashes: [{ name: "SHA1", hex: "9feeb527774833ce187684f62d5db454c7c2416b" }],
        },
      ],
      fileList: [
        { action: "new", path: "big/random.bin" },
        { action: "changed", path: "names/new\nline" },
        { action: "deleted", path: "dirs/full/t3" },
      ],
    });
  });

  it("reads the manifest of duplicity-format 12", () => {
    const text =
      "Hostname vm\nLocaldir src\nVolume 1:\n    StartingPath   .  \n    EndingPath     l  \n" +
      "    Hash SHA1 1d66b619ea3295204879a42e8fe00024d565e507\nFilelist 1\n    new      f\n";
    expect(text.length).toBe(162);
    expect(parse(text)).toMatchObject({
      localDirectory: "src",
      fileList: [{ action: "new", path: "f" }],
    });
  });

  it("refuses every cut", () => {
    for (let size = 0; size < EXAMPLE.length; size++) {
      expect(() => parse(EXAMPLE.slice(0, size))).toThrow(/duplicity's manifest/);
    }
  });

  it.each([
    ['"with\\x20space"', "with space"],
    ['"new\\x0aline"', "new\nline"],
    ['"\\x22double\\x22"', '"double"'],
    ['"\\x27single\\x27"', "'single'"],
    ['"back\\x5cslash"', "back\\slash"],
    ['"\\x5cx41\\x20not"', "\\x41 not"],
    ['"cr\\x0dlf\\x0d\\x0a"', "cr\rlf\r\n"],
    ['"\\x22\xe9\\x22"', '"\xe9"'],
    ["\x01\x7f\x1b", "\x01\x7f\x1b"],
    ["\xc3\xa0\xa0\x85", "\xc3\xa0\xa0\x85"],
    ["\xef\xbb\xbfbom", "\xef\xbb\xbfbom"],
  ])("reads the path %j", (quoted, path) => {
    expect(startOf(`${quoted}  `)).toEqual({ path });
    expect(startOf(`${quoted} 12`)).toEqual({ path, piece: 12 });
  });

  it.each(['"open', '"a"b"', '"bad\\x2"', '"bad\\n"', "two words here"])(
    "refuses the path %j",
    (quoted) => {
      expect(() => startOf(`${quoted}  `)).toThrow(/badly quoted|malformed/);
    },
  );

  it.each(["../up", "a//b", "/etc", "a/./b"])(
    "refuses the path %j, which leaves the tree",
    (path) => {
      expect(() => startOf(`${path}  `)).toThrow(expect.objectContaining({ code: "PATH_REFUSED" }));
    },
  );

  it("takes the last of two listings, and drops what a resumed backup left above it", () => {
    const text = `${HEAD}${volume(1)}${volume(2, "old  ")}${volume(3)}${volume(2, "new  ")}${NO_FILES}`;
    expect(numbers(text)).toEqual([1, 2]);
    expect(parse(text).volumes[1]?.start.path).toBe("new");
  });

  it("takes volumes in any order where none is listed twice", () => {
    expect(numbers(volume(3) + volume(1) + volume(2))).toEqual([1, 2, 3]);
  });

  it("takes the file list in front of the volumes too", () => {
    expect(numbers(`${HEAD}Filelist 1\n    new      f\n${volume(1)}`)).toEqual([1]);
  });

  it("does not care for the case of names", () => {
    expect(parse((HEAD + volume(1)).toUpperCase() + NO_FILES)).toMatchObject({ hostName: "VM" });
  });

  it("takes several hashes of a volume", () => {
    const text = `${HEAD}${volume(1)}    Hash MD5 ABCDEF\n${NO_FILES}`;
    expect(parse(text).volumes[0]?.hashes).toEqual([
      { name: "SHA1", hex: "fd542d0fedd872d331c88674bc416f71aaaacede" },
      { name: "MD5", hex: "abcdef" },
    ]);
  });

  it.each([
    ["no volume", HEAD + NO_FILES, /lists no volume/],
    ["a gap", HEAD + volume(1) + volume(3) + NO_FILES, /lists no volume 2, but volume 3/],
    ["volume 0", HEAD + volume(0) + NO_FILES, /no volume in line 3/],
    ["no hash", HEAD + volume(1).replace(HASH, "") + NO_FILES, /no Hash in line 6/],
    ["no file list", HEAD + volume(1), /no Filelist/],
    ["two file lists", HEAD + volume(1) + NO_FILES + NO_FILES, /no volume in line/],
    ["too few files", `${HEAD}${volume(1)}Filelist 2\n    new      f\n`, /no file 2 of 2/],
    [
      "too many files",
      `${HEAD}${volume(1)}Filelist 1\n    new      f\n    new      g\n`,
      /no volume in line/,
    ],
    ["an empty line", `${HEAD}\n${volume(1)}${NO_FILES}`, /no volume in line 3/],
    ["nothing", "", /does not end with a line/],
  ])("refuses %s", (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});
