/** What a build that was cut off has staged is used by the next, and only what is right of it. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { formatSetName } from "../../src/duplicity/names.js";
import { replicaStatus } from "../../src/replica/status.js";
import { Random } from "../support/random.js";
import { restarted } from "../support/restarted.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import {
  changed,
  file,
  folder,
  link,
  type Model,
  type ModelObject,
  model,
} from "./support/model.js";
import {
  type PublicationOptions,
  publishHistory,
  type TestPublication,
} from "./support/publication.js";

const MIB = 1024 * 1024;
const RANDOM = new Random(11);

const FIRST = model(
  Object.fromEntries([
    ["", folder(9000)],
    ["a", folder(1, 0o750)],
    ...Array.from({ length: 16 }, (_, at): [string, ModelObject] => [
      `a/${at}`,
      file(RANDOM.bytes(MIB / 4), 100 + at, 0o640),
    ]),
    ["a/link", link("elsewhere")],
    ["b", file(RANDOM.bytes(6 * MIB), 300)],
    ["c", file(RANDOM.bytes(2 * MIB), 400)],
  ]),
);
const SECOND = changed(FIRST, {
  "a/0": file("now small", 1000),
  "a/1": undefined,
  "a/2": file(Buffer.concat([contentOf(FIRST, "a/2"), Buffer.from("more")]), 1002),
  d: file("new", 1003),
});
const STAGED = "a/5";

describe("a build that was cut off by its sources", () => {
  test("is gone on with: nothing that was staged is fetched again", async () => {
    const { replica, publication, heal } = await cutOff([FIRST]);
    const status = replicaStatus(replica.config, replica.runtime.clock);
    expect(status.unfinished).toMatchObject({ totalBytes: 12 * MIB });
    expect(status.unfinished?.stagedBytes).toBeGreaterThan(8 * MIB);
    expect(status.unfinished?.set).toBe(formatSetName(publication.sets[0] ?? NO_SET));
    heal();
    const { estimate } = await replica.sync({ dryRun: true });
    expect(estimate?.bytes).toBeLessThan(4 * MIB);
    const { strategy, bytes } = await replica.sync();
    expect({ strategy, bytes: bytes["blocks"] }).toEqual({
      strategy: "fresh",
      bytes: estimate?.bytes,
    });
    expect(replica.faults(FIRST)).toEqual([]);
    expect(replicaStatus(replica.config, replica.runtime.clock).unfinished).toBeUndefined();
  });

  test("fetches no page of a table again, unless what was kept is not that page", async () => {
    const { replica, heal } = await cutOff([FIRST], undefined, { pageEntries: 3 });
    const pages = `${replica.state}/pages`;
    expect((await replica.sync({ dryRun: true })).bytes).toMatchObject({ tables: 0 });
    const [first, second] = readdirSync(pages);
    truncateSync(`${pages}/${first}`, 5);
    flipByte(`${pages}/${second}`, 5);
    heal();
    const { bytes } = await replica.sync();
    expect(bytes["tables"]).toBeGreaterThan(0);
    expect(bytes["tables"]).toBeLessThan(2000);
    expect(replica.faults(FIRST)).toEqual([]);
  });

  test("is gone on with after a start of the machine: what is staged is read, not fetched", async () => {
    const { replica, heal } = await cutOff([FIRST]);
    const before = await replica.sync({ dryRun: true });
    restarted(replica.tree);
    heal();
    expect((await replica.sync()).bytes["blocks"]).toBe(before.estimate?.bytes);
    expect(replica.faults(FIRST)).toEqual([]);
  });

  test("leaves the root's time as it was", async () => {
    const { replica } = await cutOff([FIRST], (tree) => utimesSync(tree, 77, 77));
    expect(statSync(replica.tree).mtimeMs).toBe(77_000);
  });

  test("is ended first when it is far, and then followed", async () => {
    const { replica, publication, heal } = await cutOff([FIRST, SECOND]);
    heal();
    publication.showHead(1);
    expect(await replica.sync()).toMatchObject({ strategy: "follow", setsFollowed: 1 });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("gives what fits to another set when its own is gone", async () => {
    const { replica, publication, heal } = await cutOff([FIRST]);
    heal();
    await publication.addFull(SECOND);
    publication.publish({ ledgers: publication.ledgers.slice(1) });
    const { strategy, bytes } = await replica.sync();
    expect(strategy).toBe("fresh");
    expect(bytes["blocks"]).toBeLessThan(6 * MIB);
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("is forgotten when nothing is to be done", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND]);
    const replica = new TestReplica(work, [publication]);
    await replica.sync();
    for (const name of ["b", "c"]) writeFileSync(`${replica.tree}/${name}`, "damaged");
    const heal = cutSources(publication, CUT_BYTES);
    const [target] = publication.sets.map(formatSetName);
    await expect(replica.rollBack(target ?? "", { checksum: true })).rejects.toMatchObject(FAILED);
    heal();
    await replica.sync();
    expect(existsSync(`${replica.tree}/.dupmirror`)).toBe(false);
    expect(replica.position).toBe(formatSetName(publication.sets[1] ?? NO_SET));
  });

  test("to an older set is not ended by a sync", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND, FIRST]);
    const replica = new TestReplica(work, [publication]);
    publication.showHead(1);
    await replica.sync();
    for (const name of ["a/9", "b", "c"]) rmSync(`${replica.tree}/${name}`);
    const heal = cutSources(publication, CUT_BYTES);
    const [target] = publication.sets.map(formatSetName);
    await expect(replica.rollBack(target ?? "")).rejects.toMatchObject(FAILED);
    heal();
    publication.showHead(2);
    await replica.sync({ checksum: true });
    expect(replica.faults(FIRST)).toEqual([]);
    expect(replica.position).toBe(formatSetName(publication.sets[2] ?? NO_SET));
  });
});

describe("a stage that somebody changed, by", () => {
  const outside = "kept";
  const CHANGES: readonly (readonly [string, (work: string, stage: string) => void])[] = [
    [
      "a byte in a file",
      (_, stage) => keepingTime(`${stage}/${STAGED}`, (place) => flipByte(place)),
    ],
    [
      "a file that was cut",
      (_, stage) => keepingTime(`${stage}/${STAGED}`, (place) => truncateSync(place, 1000)),
    ],
    [
      "zeros in place of bytes, and a start of the machine",
      (work, stage) => {
        keepingTime(`${stage}/${STAGED}`, (place) => writeFileSync(place, Buffer.alloc(MIB / 4)));
        restarted(`${work}/tree`);
      },
    ],
    ["another mode", (_, stage) => chmodSync(`${stage}/${STAGED}`, 0o4777)],
    ["another time", (_, stage) => utimesSync(`${stage}/${STAGED}`, 5, 5)],
    ["more at the end of the file that was begun", (_, stage) => appendFileSync(`${stage}/b`, "x")],
    [
      "other bytes in the file that was begun",
      (_, stage) => writeFileSync(`${stage}/b`, Buffer.alloc(5 * MIB)),
    ],
    ["files of their own", (_, stage) => writeFileSync(`${stage}/a/extra`, "extra")],
    [
      "folders of their own",
      (_, stage) => {
        mkdirSync(`${stage}/extra/deep`, { recursive: true });
        writeFileSync(`${stage}/extra/deep/file`, "extra");
        mkdirSync(`${stage}/empty`);
      },
    ],
    [
      "a folder in place of a file",
      (_, stage) => replace(`${stage}/${STAGED}`, (at) => mkdirSync(at)),
    ],
    [
      "a symlink in place of a file",
      (work, stage) =>
        replace(`${stage}/${STAGED}`, (at) => symlinkSync(`${work}/outside/kept`, at)),
    ],
    [
      "a symlink in place of a folder",
      (work, stage) => replace(`${stage}/a`, (at) => symlinkSync(`${work}/outside`, at)),
    ],
    [
      "a symlink in place of the stage",
      (work, stage) => replace(stage, (at) => symlinkSync(`${work}/outside`, at)),
    ],
    ["another name for a file", (work, stage) => linkSync(`${stage}/${STAGED}`, `${work}/other`)],
    ["rights for others", (_, stage) => chmodSync(path.dirname(stage), 0o777)],
    ["a record that is none", (_, stage) => writeFileSync(`${path.dirname(stage)}/build`, "{}")],
    ["no record", (_, stage) => rmSync(`${path.dirname(stage)}/build`)],
    [
      "files beside the stage",
      (_, stage) => {
        mkdirSync(`${stage}/../trash/0`, { recursive: true });
        writeFileSync(`${stage}/../new`, "new");
        writeFileSync(`${stage}/../build-new`, "new");
      },
    ],
  ];

  test.each(CHANGES)("%s never changes the tree", async (_, change) => {
    const { work, replica, heal } = await cutOff([FIRST]);
    mkdirSync(`${work}/outside`);
    writeFileSync(`${work}/outside/kept`, outside);
    change(work, `${replica.tree}/.dupmirror/stage`);
    heal();
    await replica.sync();
    expect(replica.faults(FIRST)).toEqual([]);
    expect(readdirSync(`${work}/outside`)).toEqual(["kept"]);
    expect(readFileSync(`${work}/outside/kept`, "utf8")).toBe(outside);
  });
});

test("a repair that was cut off is gone on with by the next, also after a cycle", async () => {
  const work = fastTemporaryFolder();
  const publication = await publishHistory(`${work}/publication`, [FIRST]);
  const replica = new TestReplica(work, [publication]);
  await replica.sync();
  for (const name of ["a/3", "a/4", "b", "c"]) rmSync(`${replica.tree}/${name}`);
  const heal = cutSources(publication, CUT_BYTES);
  await expect(replica.verify({ repair: true })).rejects.toMatchObject(FAILED);
  heal();
  await replica.sync();
  expect(existsSync(`${replica.tree}/.dupmirror/stage/a/3`)).toBe(true);
  const { isResumed, repaired } = await replica.verify({ repair: true });
  expect({ isResumed, repaired }).toMatchObject({ isResumed: true, repaired: { written: 4 } });
  expect(replica.faults(FIRST)).toEqual([]);
});

test("a repair that was cut off leaves nothing once a verification finds all right", async () => {
  const work = fastTemporaryFolder();
  const publication = await publishHistory(`${work}/publication`, [FIRST]);
  const replica = new TestReplica(work, [publication]);
  await replica.sync();
  const lost = ["a/3", "a/4", "b", "c"];
  mkdirSync(`${work}/elsewhere/a`, { recursive: true });
  for (const name of lost) renameSync(`${replica.tree}/${name}`, `${work}/elsewhere/${name}`);
  const heal = cutSources(publication, CUT_BYTES);
  await expect(replica.verify({ repair: true })).rejects.toMatchObject(FAILED);
  heal();
  for (const name of lost) renameSync(`${work}/elsewhere/${name}`, `${replica.tree}/${name}`);
  utimesSync(`${replica.tree}/a`, 1, 1);
  utimesSync(replica.tree, 9000, 9000);
  for (const name of readdirSync(replica.state).filter((one) => one.startsWith("verif"))) {
    rmSync(`${replica.state}/${name}`, { recursive: true });
  }
  expect(existsSync(`${replica.tree}/.dupmirror/stage`)).toBe(true);
  expect((await replica.verify({ repair: true })).repaired).toBeUndefined();
  expect(replica.faults(FIRST)).toEqual([]);
  expect(existsSync(`${replica.tree}/.dupmirror`)).toBe(false);
});

/** All of `a` and most of `b`. */
const CUT_BYTES = 5.5 * MIB;
const FAILED = { code: "SHARES_TOO_FEW" };
const NO_SET = { kind: "full", time: 0 } as const;

/** A replica whose first sync was cut off on its way to the first of `trees`. */
async function cutOff(
  trees: readonly Model[],
  prepare: (tree: string) => void = () => undefined,
  options: PublicationOptions = {},
): Promise<{
  readonly work: string;
  readonly replica: TestReplica;
  readonly publication: TestPublication;
  readonly heal: () => void;
}> {
  const work = fastTemporaryFolder();
  const publication = await publishHistory(`${work}/publication`, trees, options);
  const replica = new TestReplica(work, [publication]);
  mkdirSync(replica.tree);
  prepare(replica.tree);
  publication.showHead(0);
  const heal = cutSources(publication, CUT_BYTES);
  await expect(replica.sync()).rejects.toMatchObject(FAILED);
  return { work, replica, publication, heal };
}

/** Cuts all shares to so many bytes, which k = 2 times as many of the volumes need; the function gives them back. */
function cutSources({ folder: place }: TestPublication, sizeBytes: number): () => void {
  const packs = readdirSync(`${place}/shares`, { recursive: true, encoding: "utf8" })
    .map((name) => `${place}/shares/${name}`)
    .filter((name) => statSync(name).isFile());
  for (const pack of packs) {
    const bytes = readFileSync(pack);
    renameSync(pack, `${pack}.whole`);
    writeFileSync(pack, bytes.subarray(0, sizeBytes));
  }
  return () => {
    for (const pack of packs) renameSync(`${pack}.whole`, pack);
  };
}

function contentOf(tree: Model, name: string): Buffer {
  const object = tree.get(name);
  return object?.type === "file" ? object.content : Buffer.alloc(0);
}

function keepingTime(place: string, change: (place: string) => void): void {
  const { atimeMs, mtimeMs } = statSync(place);
  change(place);
  utimesSync(place, atimeMs / 1000, mtimeMs / 1000);
}

function flipByte(place: string, at = 1000): void {
  const bytes = readFileSync(place);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(place, bytes);
}

function replace(place: string, make: (place: string) => void): void {
  rmSync(place, { recursive: true });
  make(place);
}
