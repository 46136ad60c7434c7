import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BinaryWriter } from "../../src/bytes/binary-writer.js";
import { isMirrorError } from "../../src/errors.js";
import { type ContentsEntry, decodeContentsPage } from "../../src/manifest/contents.js";
import { mapColumns } from "../../src/manifest/contents-layout.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { fingerprintTree, listTree } from "../support/tree-compare.js";
import { TestReplica } from "./support/bench.js";
import { deletedEntry, directoryEntry, fileEntry, linkEntry, run } from "./support/entries.js";
import { file, folder, link, model } from "./support/model.js";
import { publishHistory, TestPublication } from "./support/publication.js";

const DATA = new Uint8Array(2_500_000).fill(0x41);
const TREE = model({ d: folder(), "d/f": file("f"), f: file("other"), l: link("../outside") });
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
