import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BinaryWriter } from "../../src/bytes/binary-writer.js";
import { isMirrorError } from "../../src/errors.js";
import { type ContentsEntry, decodeContentsPage } from "../../src/manifest/contents.js";
import { mapColumns } from "../../src/manifest/contents-layout.js";
import { ascii } from "../support/bytes.js";
import { concat } from "../support/tar.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { fingerprintTree, listTree } from "../support/tree-compare.js";
import { TestReplica } from "./support/bench.js";
import { deletedEntry, directoryEntry, fileEntry, linkEntry, run } from "./support/entries.js";
import { file, folder, link, model } from "./support/model.js";
import { publishHistory, TestPublication } from "./support/publication.js";

const DATA = new Uint8Array(2_500_000).fill(0x41);
const TREE = model({ d: folder(), "d/f": file("f"), f: file("other"), l: link("../outside") });
const DIGEST = new Uint8Array(8);
const SNAPSHOT = { sizeBytes: 4, data: [run(1, 0, 4)] };

/** Increments that a master's key may have signed, but that no master made. */
const INCREMENTS: readonly (readonly [string, readonly ContentsEntry[], string])[] = [
  [
    "a file below a symlink of the tree",
    [fileEntry("snapshot", "l/f", SNAPSHOT)],
    "DOCUMENT_INVALID",
  ],
  [
    "a file below a symlink of its own",
    [linkEntry("d", "../outside"), fileEntry("snapshot", "d/f", SNAPSHOT)],
    "DOCUMENT_INVALID",
  ],
  [
    "a file below a file",
    [fileEntry("snapshot", "f", SNAPSHOT), fileEntry("snapshot", "f/g", SNAPSHOT)],
    "DOCUMENT_INVALID",
  ],
  [
    "a file in what it deletes",
    [deletedEntry("d"), fileEntry("snapshot", "d/g", SNAPSHOT)],
    "DOCUMENT_INVALID",
  ],
  ["a file nowhere", [fileEntry("snapshot", "no/where", SNAPSHOT)], "DOCUMENT_INVALID"],
  ["a root that is a file", [fileEntry("snapshot", "", SNAPSHOT)], "DOCUMENT_INVALID"],
  ["a root that is a symlink", [linkEntry("", "/etc")], "DOCUMENT_INVALID"],
  [
    "data beyond the volume's stripes",
    [fileEntry("snapshot", "g", { sizeBytes: 4, data: [run(1, 5e6, 4)] })],
    "DOCUMENT_INVALID",
  ],
  [
    "data that ends beyond the volume",
    [fileEntry("snapshot", "g", { sizeBytes: 3e6, data: [run(1, 0, 3e6)] })],
    "DOCUMENT_INVALID",
  ],
  [
    "data in a volume that is not there",
    [fileEntry("snapshot", "g", { sizeBytes: 4, data: [run(9, 0, 4)] })],
    "DOCUMENT_INVALID",
  ],
  [
    "data before that of an earlier entry",
    [
      fileEntry("snapshot", "g", { sizeBytes: 4, data: [run(1, 2e6, 4)] }),
      fileEntry("snapshot", "h", { sizeBytes: 4, data: [run(1, 0, 4)] }),
    ],
    "DOCUMENT_INVALID",
  ],
  [
    "a file of 4 PiB",
    [fileEntry("snapshot", "g", { sizeBytes: 2 ** 52, data: [run(1, 0, 2 ** 52)] })],
    "DISK_SPACE",
  ],
  ["a prefix of 4 PiB", [fileEntry("prefix", "f", { sizeBytes: 2 ** 52 })], "DISK_SPACE"],
  ["a delta that is none", [fileEntry("diff", "f", SNAPSHOT)], "FORMAT_INVALID"],
  ["a delta without data", [fileEntry("diff", "f", { sizeBytes: 4 })], "FORMAT_INVALID"],
  ["a link whose text has a NUL", [linkEntry("g", "a\0b")], "DISK_FAILED"],
  ["a link whose text is longer than a path", [linkEntry("g", "a".repeat(70_000))], "DISK_FAILED"],
  [
    "a change of what is not there",
    [fileEntry("diff", "new", { sizeBytes: 4, data: [run(1, 0, 4)] })],
    "DOCUMENT_INVALID",
  ],
  [
    "a prefix that is longer than its file",
    [fileEntry("prefix", "f", { sizeBytes: 6 })],
    "DOCUMENT_INVALID",
  ],
  [
    "signatures of blocks without length",
    [fileEntry("prefix", "f", { sizeBytes: 5, signature: { blockLength: 0, digest: DIGEST } })],
    "DOCUMENT_INVALID",
  ],
  [
    "a signature of tiny blocks, which is longer than its file",
    [fileEntry("prefix", "f", { sizeBytes: 5, signature: { blockLength: 1, digest: DIGEST } })],
    "DOCUMENT_INVALID",
  ],
];

/** Increments whose volume is this delta of the file `f`, which has the content `other`. */
const DELTAS: readonly (readonly [string, Uint8Array, number, string])[] = [
  ["copies from beyond its base", delta([copy(2, 4)]), 4, "DOCUMENT_INVALID"],
  ["copies 8 PiB", delta([copy(0, 2 ** 53 - 1)]), 4, "DOCUMENT_INVALID"],
  ["makes more than it says", delta(many(1000, copy(0, 5))), 4, "DOCUMENT_INVALID"],
  ["makes 5 MB of 3 MB of commands", delta(many(1e6, copy(0, 5))), 4, "DOCUMENT_INVALID"],
  ["makes less than it says", delta([copy(0, 4)]), 5, "DOCUMENT_INVALID"],
  ["has no end", delta([copy(0, 5)]).subarray(0, -1), 5, "FORMAT_INVALID"],
  ["goes on after its end", concat(delta([copy(0, 5)]), ascii("x")), 5, "FORMAT_INVALID"],
  [
    "has a literal that never comes",
    concat(delta([]).subarray(0, -1), ascii("C\xff\xff\xff\xff")),
    5,
    "FORMAT_INVALID",
  ],
];

/** What must be obeyed, as it is no more than odd. */
const HARMLESS: readonly (readonly [string, readonly ContentsEntry[]])[] = [
  ["a deletion through a symlink", [deletedEntry("l/kept")]],
  ["a deletion below a file", [deletedEntry("f/x")]],
  ["a deletion of the root", [deletedEntry("")]],
  ["a deletion of what is not there", [deletedEntry("no/where")]],
  ["a time that no file system has", [directoryEntry("d", { mtime: 2 ** 50 })]],
  [
    "a deletion of the working folder",
    [deletedEntry(".dupmirror"), deletedEntry(".dupmirror/stage")],
  ],
  ["a symlink as working folder", [linkEntry(".dupmirror", "../outside")]],
];

describe.each(["plain", "gzip"] as const)("contents over %s volumes with", (wrapping) => {
  test.each(INCREMENTS)(
    "%s are refused, and the tree stays as it was",
    async (_, entries, code) => {
      const { replica, outside, publication } = await makeBench(wrapping);
      const set = publication.nextIncrement();
      await publication.addRaw({ set, entries, volumes: [DATA] }, TREE);
      const before = fingerprintTree(replica.tree);
      const listed = listTree(replica.tree);
      expect([code, undefined]).toContain(await refusal(replica.sync({ dryRun: true })));
      await expect(replica.sync()).rejects.toMatchObject({ code });
      expect(fingerprintTree(replica.tree)).toBe(before);
      expect(listTree(replica.tree)).toEqual(listed);
      expect(existsSync(`${replica.tree}/.dupmirror`)).toBe(false);
      expect(readdirSync(outside)).toEqual(["kept"]);
      await publication.addFull(TREE);
      await replica.sync();
      expect(replica.faults(TREE)).toEqual([]);
    },
  );

  test.each(DELTAS)("a delta that %s is refused", async (_, bytes, sizeBytes, code) => {
    const { replica, publication } = await makeBench(wrapping);
    const set = publication.nextIncrement();
    const entries = [fileEntry("diff", "f", { sizeBytes, data: [run(1, 0, bytes.length)] })];
    await publication.addRaw({ set, entries, volumes: [bytes] }, TREE);
    const before = fingerprintTree(replica.tree);
    await expect(replica.sync()).rejects.toMatchObject({ code });
    expect(fingerprintTree(replica.tree)).toBe(before);
    expect(existsSync(`${replica.tree}/.dupmirror`)).toBe(false);
  });

  test.each(HARMLESS)("%s stay inside the tree", async (_, entries) => {
    const { replica, outside, publication } = await makeBench(wrapping);
    const set = publication.nextIncrement();
    await publication.addRaw({ set, entries, volumes: [DATA] }, TREE);
    await replica.sync();
    expect(readdirSync(outside)).toEqual(["kept"]);
    expect(existsSync(`${replica.tree}/.dupmirror`)).toBe(false);
    await publication.addFull(TREE);
    await replica.sync();
    expect(replica.faults(TREE)).toEqual([]);
  });
});

describe("a full set", () => {
  test.each<[string, ContentsEntry[]]>([
    ["without a root", [fileEntry("snapshot", "f", SNAPSHOT)]],
    ["with a file nowhere", [directoryEntry(""), fileEntry("snapshot", "no/where", SNAPSHOT)]],
    [
      "with a file below a symlink",
      [directoryEntry(""), linkEntry("l", ".."), fileEntry("snapshot", "l/outside", SNAPSHOT)],
    ],
    ["with a change of nothing", [directoryEntry(""), fileEntry("diff", "f", SNAPSHOT)]],
  ])("%s is refused, and leaves nothing", async (_, entries) => {
    const work = fastTemporaryFolder();
    const publication = new TestPublication(`${work}/publication`);
    const set = publication.nextFull();
    await publication.addRaw({ set, entries, volumes: [DATA] }, TREE);
    const replica = new TestReplica(work, [publication]);
    await expect(replica.sync()).rejects.toMatchObject({ code: "DOCUMENT_INVALID" });
    expect(readdirSync(replica.tree)).toEqual([]);
  });

  test("whose pages overlap is refused", async () => {
    const work = fastTemporaryFolder();
    const publication = new TestPublication(`${work}/publication`, { pageEntries: 2 });
    const entries = ["", "a", "a", "b"].map((path) => directoryEntry(path));
    const set = publication.nextFull();
    await publication.addRaw({ set, entries, volumes: [DATA] }, TREE);
    const replica = new TestReplica(work, [publication]);
    await expect(replica.sync()).rejects.toMatchObject({ code: "DOCUMENT_INVALID" });
    expect(readdirSync(replica.tree)).toEqual([]);
  });
});

describe("a page of contents", () => {
  test.each([
    ["..", "PATH_REFUSED"],
    ["../outside/f", "PATH_REFUSED"],
    ["a/../../outside", "PATH_REFUSED"],
    ["/etc/passwd", "PATH_REFUSED"],
    ["a/./b", "PATH_REFUSED"],
    ["a//b", "PATH_REFUSED"],
    ["a\0b", "PATH_REFUSED"],
  ])("with the path %j is refused while it is decoded", (path, code) => {
    expect(() => [...decodeContentsPage(deletions([path]))]).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test("with a path twice is refused while it is decoded", () => {
    expect(() => [...decodeContentsPage(deletions(["a", "a"]))]).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
  });
});

test("a symlink that somebody puts in place of a directory is not followed", async () => {
  const { replica, outside, publication } = await makeBench("plain");
  rmSync(`${replica.tree}/d`, { recursive: true });
  symlinkSync(outside, `${replica.tree}/d`);
  await publication.addIncrement(new Map([...TREE, ["d/f", file("new", 5)]]));
  await replica.sync();
  expect(readdirSync(outside)).toEqual(["kept"]);
  expect(replica.faults(new Map([...TREE, ["d/f", file("new", 5)]]))).toEqual([]);
});

async function makeBench(wrapping: "plain" | "gzip") {
  const work = fastTemporaryFolder();
  const publication = await publishHistory(`${work}/publication`, [TREE], { wrapping });
  const replica = new TestReplica(work, [publication]);
  await replica.sync();
  const outside = `${work}/outside`;
  mkdirSync(outside);
  writeFileSync(`${outside}/kept`, "kept");
  return { replica, outside, publication };
}

/** The code of what a cycle fails with. */
async function refusal(cycle: Promise<unknown>): Promise<string | undefined> {
  try {
    await cycle;
    return undefined;
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    return error.code;
  }
}

/** A page that the writer would not write. */
function deletions(paths: readonly string[]): Uint8Array {
  const columns = mapColumns(() => new BinaryWriter());
  for (const path of paths) {
    columns.tags.u8(0);
    columns.names.varint(0);
    columns.names.varint(path.length);
    columns.texts.latin1(path);
  }
  const page = new BinaryWriter();
  page.u8(1);
  page.varint(paths.length);
  mapColumns((name) => {
    const column = columns[name].finish();
    page.varint(column.length);
    page.bytes(column);
  });
  return page.finish();
}

function delta(commands: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x72, 0x73, 0x02, 0x36), ...commands, Uint8Array.of(0)]);
}

/** In its shortest form for small numbers, else in its longest. */
function copy(position: number, sizeBytes: number): Uint8Array {
  if (sizeBytes < 256) return Uint8Array.of(0x45, position, sizeBytes);
  const command = Buffer.alloc(10);
  command.writeUInt8(0x48);
  command.writeUInt8(position, 1);
  command.writeBigUInt64BE(BigInt(sizeBytes), 2);
  return command;
}

function many<T>(count: number, value: T): T[] {
  return new Array<T>(count).fill(value);
}
