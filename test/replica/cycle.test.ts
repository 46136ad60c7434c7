import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { packPath } from "../../src/manifest/paths.js";
import { replicaStatus } from "../../src/replica/status.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { fingerprintTree } from "../support/tree-compare.js";
import { TestReplica } from "./support/bench.js";
import { changed, file, folder, link, type Model, model, writeModel } from "./support/model.js";
import { publishHistory, TestPublication } from "./support/publication.js";

const FIRST = model({
  a: folder(10),
  "a/one": file("one", 11),
  "a/two": file("two", 12),
  b: file("b", 13),
  c: folder(14),
  "c/three.c": file("three", 15),
  "c/three.h": file("header", 16),
});
const SECOND = changed(FIRST, { "a/one": file("one more", 21), d: link("b") });

describe("a cycle chooses", () => {
  test("fresh for an empty tree, follow for the next sets, none when nothing is new", async () => {
    const { publication, replica } = await published([FIRST, SECOND]);
    publication.showHead(0);
    expect(await replica.sync()).toMatchObject({ strategy: "fresh", setsFollowed: 0 });
    expect(await replica.sync()).toMatchObject({ strategy: "none" });
    publication.showHead(1);
    expect(await replica.sync()).toMatchObject({ strategy: "follow", setsFollowed: 1 });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("rebase for a new chain, while the old one is still published", async () => {
    const { publication, replica } = await published([FIRST, SECOND]);
    await replica.sync();
    await publication.addFull(FIRST);
    expect(replicaStatus(replica.config, replica.runtime.clock).isCurrent).toBe(true);
    expect(await replica.sync()).toMatchObject({ strategy: "rebase", files: { written: 1 } });
    expect(replica.faults(FIRST)).toEqual([]);
    expect(await replica.sync()).toMatchObject({ strategy: "none" });
    expect(replicaStatus(replica.config, replica.runtime.clock).isCurrent).toBe(true);
  });

  test("rebase for a new chain, after what it missed of the old one", async () => {
    const large = changed(FIRST, { b: file(new Random(1).bytes(100_000), 13) });
    const last = changed(large, { b: file(new Random(1).bytes(100_001), 33) });
    const { publication, replica } = await published([large, last]);
    publication.showHead(0);
    await replica.sync();
    await publication.addFull(last);
    const report = await replica.sync();
    expect(report).toMatchObject({ strategy: "rebase", files: { written: 0, patched: 1 } });
    expect(report.positionBefore?.set).toMatch(/^full\./);
    expect(report.positionBefore?.chain).not.toBe(report.positionAfter?.chain);
    expect(report.bytes["blocks"]).toBeLessThan(50_000);
    expect(replica.faults(last)).toEqual([]);
  });

  test("rebase at once for a new chain, when the rest of the old one is not to be had", async () => {
    const { publication, replica } = await published([FIRST, SECOND]);
    publication.showHead(0);
    await replica.sync();
    await publication.addFull(SECOND);
    for (const share of [0, 1, 2]) {
      const { session, sets } = publication;
      const chain = sets[0]?.time ?? 0;
      const place = { share, session, chain, stream: "volumes", pack: 0 } as const;
      rmSync(path.join(publication.folder, packPath(place)));
    }
    const report = await replica.sync();
    expect(report).toMatchObject({ strategy: "rebase", files: { written: 1, patched: 0 } });
    expect(replica.runtime.logged.map(({ event }) => event)).toContain("chain.unfollowed");
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("rebase without a step to a withheld set that ends the old chain", async () => {
    const { publication, replica } = await published([FIRST]);
    await replica.sync();
    await publication.addIncrement(SECOND);
    await publication.addIncrement(changed(SECOND, { b: undefined }), { isWithheld: true });
    await publication.addFull(SECOND);
    const files = { written: 0, patched: 1, special: 1, deleted: 0 };
    expect(await replica.sync()).toMatchObject({ strategy: "rebase", files });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("rebase for a new session of the master, keeping what is equal", async () => {
    const { publication, replica } = await published([FIRST]);
    await replica.sync();
    const session = "99999999-2222-4333-8444-555555555555";
    const next = new TestPublication(`${replica.folder}/next`, { session });
    next.time = publication.time + 1000;
    await next.addFull(SECOND);
    rmSync(publication.folder, { recursive: true });
    renameSync(next.folder, publication.folder);
    const report = await replica.sync();
    expect(report).toMatchObject({ strategy: "rebase", files: { written: 1, special: 1 } });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("rebase for a tree that another program made, and fetches only what differs", async () => {
    const { replica } = await published([FIRST, SECOND]);
    writeModel(replica.tree, changed(FIRST, { extra: file("extra"), "c/three.h": undefined }));
    const files = { written: 1, patched: 1, deleted: 1 };
    expect(await replica.sync()).toMatchObject({ strategy: "rebase", files });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("rebase when a tree is not where its position says", async () => {
    const third = changed(SECOND, { "a/one": file("third", 31), "a/new": file("new", 32) });
    const { publication, replica } = await published([FIRST, SECOND, third]);
    publication.showHead(1);
    await replica.sync();
    rmSync(`${replica.tree}/a`, { recursive: true });
    publication.showHead(2);
    expect(await replica.sync()).toMatchObject({ strategy: "rebase" });
    expect(replica.faults(third)).toEqual([]);
    expect(replica.runtime.logged.map(({ event }) => event)).toContain("tree.diverged");
  });

  test("rebase for another tree of the same name, keeping its files", async () => {
    const { publication, replica } = await published([FIRST, SECOND]);
    publication.showHead(0);
    await replica.sync();
    rmSync(replica.tree, { recursive: true });
    writeModel(replica.tree, FIRST);
    publication.showHead(1);
    const files = { written: 0, patched: 1 };
    expect(await replica.sync()).toMatchObject({ strategy: "rebase", files });
    expect(replica.faults(SECOND)).toEqual([]);
  });
});

describe("a cycle with --checksum", () => {
  test("fetches what differs under the same size and time, and leaves equal content alone", async () => {
    const { replica } = await published([FIRST, SECOND]);
    writeModel(replica.tree, changed(SECOND, { "a/two": file("TWO", 12), b: file("b", 99) }));
    const report = await replica.sync({ checksum: true });
    expect(report).toMatchObject({
      strategy: "rebase",
      files: { written: 1, patched: 0, attributes: 1 },
    });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("compares a tree that is at the newest set, too", async () => {
    const { replica } = await published([FIRST, SECOND]);
    await replica.sync();
    const { mtimeMs } = statSync(`${replica.tree}/a/one`);
    writeFileSync(`${replica.tree}/a/one`, "two more");
    utimesSync(`${replica.tree}/a/one`, mtimeMs / 1000, mtimeMs / 1000);
    expect(await replica.sync()).toMatchObject({ strategy: "none" });
    const plan = await replica.sync({ checksum: true, dryRun: true });
    expect(plan).toMatchObject({ files: { written: 1 }, estimate: { stripes: 2 } });
    expect(await replica.sync({ checksum: true })).toMatchObject({ files: { written: 1 } });
    expect(replica.faults(SECOND)).toEqual([]);
    const nothing = { written: 0, patched: 0, attributes: 0, deleted: 0 };
    expect(await replica.sync({ checksum: true })).toMatchObject({ files: nothing });
  });
});

describe("a cycle refuses", () => {
  test("a tree that has gone or stands empty, as a file system that is not mounted does", async () => {
    const { replica } = await published([FIRST]);
    await replica.sync();
    rmSync(replica.tree, { recursive: true });
    await expect(replica.sync()).rejects.toMatchObject({ code: "TREE_MISSING" });
    mkdirSync(replica.tree);
    await expect(replica.sync()).rejects.toMatchObject({ code: "TREE_MISSING" });
    expect(readdirSync(replica.tree)).toEqual([]);
  });

  test("to delete more than it may, and changes nothing", async () => {
    const { publication, replica } = await published([FIRST, SECOND, model({})]);
    publication.showHead(0);
    await replica.sync();
    publication.showHead(2);
    const before = fingerprintTree(replica.tree);
    const config = { delete: { maxPercent: 100, maxFiles: 3, protect: [] } };
    await expect(replica.sync({ config })).rejects.toMatchObject({ code: "DELETE_GUARD" });
    expect(fingerprintTree(replica.tree)).toBe(before);
    expect(replica.faults(FIRST)).toEqual([]);
    await replica.sync({ config, forcePurge: true });
    expect(replica.faults(model({}))).toEqual([]);
  });

  test("damaged blocks of all sources, and leaves the tree as it was", async () => {
    const { publication, replica } = await published([FIRST, SECOND]);
    publication.showHead(0);
    await replica.sync();
    publication.showHead(1);
    rmSync(`${publication.folder}/shares`, { recursive: true });
    await expect(replica.sync()).rejects.toMatchObject({ code: "SHARES_TOO_FEW" });
    expect(replica.faults(FIRST)).toEqual([]);
  });
});

describe("a dry run", () => {
  test("tells what would be done and fetched, and does not do it", async () => {
    const { publication, replica } = await published([FIRST, SECOND]);
    publication.showHead(0);
    await replica.sync();
    publication.showHead(1);
    const before = fingerprintTree(replica.tree);
    const report = await replica.sync({ dryRun: true });
    expect(report).toMatchObject({
      strategy: "follow",
      files: { patched: 1, special: 1, deleted: 0 },
      estimate: { stripes: 1 },
      positionBefore: { set: "full.20231114T221420Z" },
      positionAfter: { set: "full.20231114T221420Z" },
    });
    expect(fingerprintTree(replica.tree)).toBe(before);
  });
});

describe("a protected path", () => {
  const protect = { delete: { maxPercent: 100, maxFiles: 50_000, protect: ["local", "a/two"] } };

  test("is neither deleted nor changed, whatever the master has there", async () => {
    const second = changed(SECOND, { "a/two": undefined, c: undefined, local: file("theirs") });
    const { publication, replica } = await published([FIRST, second]);
    publication.showHead(0);
    await replica.sync();
    mkdirSync(`${replica.tree}/c/local`);
    writeFileSync(`${replica.tree}/c/local/ours`, "ours");
    writeFileSync(`${replica.tree}/local`, "ours");
    publication.showHead(1);
    await replica.sync({ config: protect });
    expect(readFileSync(`${replica.tree}/a/two`, "utf8")).toBe("two");
    expect(readFileSync(`${replica.tree}/local`, "utf8")).toBe("ours");
    expect(readdirSync(`${replica.tree}/c`)).toEqual(["local"]);
    expect(readFileSync(`${replica.tree}/c/local/ours`, "utf8")).toBe("ours");
  });

  test("keeps its directory from being replaced: the cycle stops before anything is changed", async () => {
    const second = changed(FIRST, { a: file("a file now", 30), b: file("more", 31) });
    const { publication, replica } = await published([FIRST, second]);
    publication.showHead(0);
    await replica.sync();
    publication.showHead(1);
    const before = fingerprintTree(replica.tree);
    const refused = { code: "DELETE_GUARD" };
    await expect(replica.sync({ config: protect })).rejects.toMatchObject(refused);
    await expect(replica.sync({ config: protect, forcePurge: true })).rejects.toMatchObject(
      refused,
    );
    expect(fingerprintTree(replica.tree)).toBe(before);
    await replica.sync();
    expect(replica.faults(second)).toEqual([]);
  });
});

describe("a part of the tree", () => {
  test.each([
    { include: ["*.c"], exclude: [], expected: ["", "a", "c", "c/three.c"] },
    { include: ["/c"], exclude: ["*.h"], expected: ["", "c", "c/three.c"] },
    { include: ["a/o*"], exclude: [], expected: ["", "a", "a/one"] },
    { include: [], exclude: ["a", "c/**"], expected: ["", "b", "c"] },
  ])("include $include, exclude $exclude", async ({ include, exclude, expected }) => {
    const { publication, replica } = await published([FIRST, changed(FIRST, { x: file("x") })]);
    publication.showHead(0);
    await replica.sync({ config: { include, exclude } });
    expect(replica.faults(only(FIRST, expected))).toEqual([]);
  });

  test("ends where a directory that led to it becomes a file", async () => {
    const second = changed(FIRST, { c: file("not carried", 30) });
    const { publication, replica } = await published([FIRST, second]);
    const config = { include: ["*.c"] };
    publication.showHead(0);
    await replica.sync({ config });
    publication.showHead(1);
    expect(await replica.sync({ config })).toMatchObject({ strategy: "follow" });
    expect(replica.faults(only(second, ["", "a"]))).toEqual([]);
  });

  test("that is chosen anew is compared with the whole tree", async () => {
    const { replica } = await published([FIRST]);
    await replica.sync({ config: { include: ["/c"] } });
    expect(await replica.sync()).toMatchObject({ strategy: "rebase" });
    expect(replica.faults(FIRST)).toEqual([]);
    await replica.sync({ config: { exclude: ["/a"] } });
    expect(replica.faults(only(FIRST, ["", "b", "c", "c/three.c", "c/three.h"]))).toEqual([]);
  });

  test("that is protected no longer is brought to what the set says", async () => {
    const { replica } = await published([FIRST]);
    await replica.sync();
    writeFileSync(`${replica.tree}/b`, "mine");
    const protecting = { delete: { ...replica.config.delete, protect: ["/b"] } };
    await replica.sync({ config: protecting });
    expect(readFileSync(`${replica.tree}/b`, "utf8")).toBe("mine");
    expect(await replica.sync()).toMatchObject({ strategy: "rebase", files: { written: 1 } });
    expect(replica.faults(FIRST)).toEqual([]);
  });
});

test.skipIf(process.getuid?.() !== 0)("another owner policy changes the whole tree", async () => {
  const { replica } = await published([FIRST]);
  await replica.sync();
  chownSync(`${replica.tree}/b`, 12, 13);
  expect(await replica.sync()).toMatchObject({ strategy: "none" });
  expect(await replica.sync({ config: { owners: "numeric" } })).toMatchObject({
    strategy: "rebase",
    files: { written: 0 },
  });
  expect(statSync(`${replica.tree}/b`)).toMatchObject({ uid: 0, gid: 0 });
});

describe("the root", () => {
  test("keeps its time and mode in a set that does not name it", async () => {
    const first = changed(FIRST, { "": folder(4000, 0o500) });
    const { publication, replica } = await published([
      first,
      changed(first, { b: file("b2", 20), new: file("new", 21) }),
    ]);
    publication.showHead(0);
    await replica.sync();
    publication.showHead(1);
    await replica.sync();
    expect(replica.faults(publication.trees[1] ?? new Map())).toEqual([]);
  });

  test("gets its time back in a cycle that finds nothing new", async () => {
    const { replica } = await published([FIRST]);
    await replica.sync();
    mkdirSync(`${replica.tree}/.dupmirror/stage`, { recursive: true });
    await replica.sync();
    expect(replica.faults(FIRST)).toEqual([]);
    utimesSync(replica.tree, 1, 1);
    await replica.sync();
    expect(replica.faults(FIRST)).toEqual([]);
  });
});

test("a working folder that the master has backed up is not carried", async () => {
  const first = changed(FIRST, {
    ".dupmirror": folder(1),
    ".dupmirror/stage": link("elsewhere"),
    ".dupmirror/new": file("new"),
  });
  const second = changed(first, { ".dupmirror": link("/etc"), b: file("b2", 20) });
  const { publication, replica } = await published([first, second]);
  publication.showHead(0);
  await replica.sync();
  expect(replica.faults(FIRST)).toEqual([]);
  publication.showHead(1);
  await replica.sync();
  expect(replica.faults(changed(FIRST, { b: file("b2", 20) }))).toEqual([]);
});

test("sources of a publication cut in two give the tree together", async () => {
  const work = fastTemporaryFolder();
  const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND]);
  const replica = new TestReplica(work, [publication]);
  rmSync(`${publication.folder}/shares/0`, { recursive: true });
  await replica.sync();
  expect(replica.faults(SECOND)).toEqual([]);
});

describe("large files", () => {
  const random = new Random(5);
  const big = random.bytes(3_300_000);
  const patched = Buffer.concat([big.subarray(0, 2_500_000), Buffer.from("!"), big.subarray(100)]);
  const trees = [
    model({ big: file(big, 5), small: file("small", 6) }),
    model({ big: file(patched, 7), small: file("small", 6) }),
    model({ big: file(patched.subarray(0, 1_500_000), 8), small: file("small", 6) }),
  ];
  test.each([
    { wrapping: "plain", archive: { volumeSizeBytes: 200_000 } },
    { wrapping: "plain", archive: {} },
    { wrapping: "gzip", archive: { volumeSizeBytes: 1_000_000 } },
  ] as const)("over stripes and volumes are built: $wrapping $archive", async (options) => {
    const { publication, replica } = await published(trees, options);
    for (const [at, tree] of trees.entries()) {
      publication.showHead(at);
      await replica.sync();
      expect(replica.faults(tree)).toEqual([]);
    }
    const fresh = new TestReplica(`${replica.folder}/fresh`, [publication]);
    await fresh.sync();
    expect(fresh.faults(trees[2] ?? new Map())).toEqual([]);
  });

  test("of pages by the dozen are built from a wrapped volume that is longer than what is read ahead", async () => {
    const random = new Random(1);
    const names = Array.from({ length: 80 }, (_, number) => `file-${number + 100}`);
    const tree = model(
      Object.fromEntries(names.map((name) => [name, file(random.bytes(400_000), 5)])),
    );
    const { publication, replica } = await published([tree], { wrapping: "gzip", pageEntries: 4 });
    publication.showHead(0);
    await replica.sync();
    expect(replica.faults(tree)).toEqual([]);
  });

  test("with another base are fetched from their history", async () => {
    const { publication, replica } = await published(trees);
    publication.showHead(0);
    await replica.sync();
    writeFileSync(`${replica.tree}/big`, Buffer.concat([Buffer.from("x"), big.subarray(1)]));
    publication.showHead(1);
    expect(await replica.sync()).toMatchObject({ strategy: "follow", files: { mended: 1 } });
    expect(replica.faults(trees[1] ?? new Map())).toEqual([]);
  });
});

test.each([
  { what: "changed", damage: (place: string) => writeFileSync(place, "six") },
  { what: "too short", damage: (place: string) => writeFileSync(place, "") },
  { what: "missing", damage: (place: string) => rmSync(place) },
  {
    what: "a directory",
    damage: (place: string) => {
      rmSync(place);
      mkdirSync(`${place}/sub`, { recursive: true });
    },
  },
])("a file that shall only get another time and is $what is fetched again", async ({ damage }) => {
  const second = changed(FIRST, { "a/one": file("one", 99) });
  const { publication, replica } = await published([FIRST, second]);
  publication.showHead(0);
  await replica.sync();
  damage(path.join(replica.tree, "a/one"));
  publication.showHead(1);
  expect(await replica.sync()).toMatchObject({ strategy: "follow", files: { mended: 1 } });
  expect(readFileSync(`${replica.tree}/a/one`, "utf8")).toBe("one");
  expect(statSync(`${replica.tree}/a/one`).mtimeMs).toBe(99_000);
  expect(existsSync(`${replica.tree}/.dupmirror`)).toBe(false);
});

test("a history that does not lead to the recorded content is refused, and the tree stays", async () => {
  const { publication, replica } = await published([FIRST]);
  await replica.sync();
  const attributes = { mode: 0o644, uid: 0, gid: 0, userName: "", groupName: "", mtime: 50 };
  const entry = {
    kind: "prefix",
    path: toTreePath("a/one"),
    attributes,
    sizeBytes: 2,
    data: [],
    signature: { blockLength: 512, digest: new Uint8Array(8) },
  } as const;
  const set = publication.nextIncrement();
  await publication.addRaw({ set, entries: [entry], volumes: [new Uint8Array(1024)] }, FIRST);
  await expect(replica.sync()).rejects.toMatchObject({ code: "DOCUMENT_INVALID" });
  expect(replica.faults(FIRST)).toEqual([]);
});

async function published(
  trees: readonly Model[],
  options: Parameters<typeof publishHistory>[2] = {},
): Promise<{ publication: TestPublication; replica: TestReplica }> {
  const work = fastTemporaryFolder();
  const publication = await publishHistory(`${work}/publication`, trees, options);
  return { publication, replica: new TestReplica(work, [publication]) };
}

function only(tree: Model, paths: readonly string[]): Model {
  return new Map([...tree].filter(([path]) => paths.includes(path)));
}
