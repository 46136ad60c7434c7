import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execaSync } from "execa";
import { describe, expect, test, vi } from "vitest";
import { displayPath } from "../../src/bytes/tree-path.js";
import { SliceGate } from "../../src/replica/slice-gate.js";
import { stateFiles } from "../../src/replica/state-files.js";
import type { VerifyReport } from "../../src/replica/verify-report.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import {
  changed,
  fifo,
  file,
  folder,
  link,
  type Model,
  type ModelObject,
  model,
  randomHistory,
  sortedPaths,
  writeModel,
} from "./support/model.js";
import { type PublicationOptions, publishHistory } from "./support/publication.js";

// Nothing in memory gains from a sync, and a process for each of many cycles is most of their time.
vi.mock("../../src/programs/sync.js", () => ({ syncFileSystem: () => Promise.resolve() }));

const TREE = model({
  a: folder(10),
  "a/one": file("one", 11),
  "a/two": file("two", 12),
  b: file("b", 13),
  c: folder(14),
  "c/fifo": fifo(15),
  "c/link": link("three"),
  "c/three": file("three", 16),
});

describe("a verification finds", () => {
  test("nothing in a tree that is as its set has it, and leaves nothing behind but the outcome", async () => {
    const { replica } = await synced([TREE, changed(TREE, { "a/one": file("more", 21) })]);
    const before = readdirSync(replica.state).sort();
    const report = await replica.verify();
    expect(report).toMatchObject({ damaged: 0, findings: [], isResumed: false });
    expect(report.checked).toEqual({ entries: TREE.size, bytes: 13 });
    expect(readdirSync(replica.state).sort()).toEqual(["last-verify.json", ...before].sort());
  });

  test.each<[string, (tree: string) => void, string[]]>([
    ["a missing file", (tree) => rmSync(`${tree}/b`), ["missing b"]],
    [
      "a missing directory",
      (tree) => rmSync(`${tree}/a`, { recursive: true }),
      ["missing a", "missing a/one", "missing a/two"],
    ],
    ["an extra file", (tree) => writeFileSync(`${tree}/bb`, ""), ["extra bb"]],
    [
      "an extra directory",
      (tree) => mkdirSync(`${tree}/c/d/e`, { recursive: true }),
      ["mtime c", "extra c/d", "extra c/d/e"],
    ],
    ["a flipped byte under the same time", (tree) => replaceKept(`${tree}/b`, "c"), ["content b"]],
    ["a truncated file", (tree) => replaceKept(`${tree}/a/two`, "t"), ["content a/two"]],
    ["a grown file", (tree) => replaceKept(`${tree}/a/two`, "two!"), ["content a/two"]],
    ["another mode", (tree) => chmodSync(`${tree}/b`, 0o600), ["mode b"]],
    ["another mode of a directory", (tree) => chmodSync(`${tree}/a`, 0o700), ["mode a"]],
    ["another time", (tree) => utimesSync(`${tree}/b`, 99, 99), ["mtime b"]],
    [
      "a symlink that points elsewhere",
      (tree) => replaceBy(`${tree}/c/link`, (place) => symlinkSync("one", place)),
      ["mtime c", "target c/link"],
    ],
    [
      "a directory in place of a file",
      (tree) => replaceBy(`${tree}/a/one`, (place) => mkdirSync(`${place}/x`, { recursive: true })),
      ["mtime a", "type a/one", "extra a/one/x"],
    ],
    [
      "a symlink in place of a directory",
      (tree) => replaceBy(`${tree}/a`, (place) => symlinkSync("c", place)),
      ["type a", "missing a/one", "missing a/two"],
    ],
    [
      "a file in place of a fifo",
      (tree) => replaceBy(`${tree}/c/fifo`, (place) => writeFileSync(place, "")),
      ["mtime c", "type c/fifo"],
    ],
  ])("%s, and repair mends it", async (_, damage, findings) => {
    const { replica } = await synced([TREE]);
    damage(replica.tree);
    expect(found(await replica.verify())).toEqual(findings);
    const report = await replica.verify({ repair: true });
    expect(found(report)).toEqual(findings);
    expect(report.repaired).toBeDefined();
    expect(replica.faults(TREE)).toEqual([]);
    expect(await replica.verify()).toMatchObject({ damaged: 0 });
  });

  test.skipIf(process.getuid?.() !== 0)(
    "another owner, by the replica's policy (skipped: only root can give files away)",
    async () => {
      const { replica } = await synced([TREE]);
      chownSync(`${replica.tree}/b`, 12, 13);
      expect(found(await replica.verify())).toEqual([]);
      const config = { owners: "numeric" } as const;
      await replica.sync({ config });
      chownSync(`${replica.tree}/b`, 12, 13);
      expect(found(await replica.verify({ config }))).toEqual(["owner b"]);
      expect(await replica.verify({ config, repair: true })).toMatchObject({
        repaired: { attributes: 1, written: 0 },
      });
      expect(replica.faults(TREE)).toEqual([]);
    },
  );

  test("nothing wrong with what is protected, or is not of its part of the tree", async () => {
    const { publication, folder: place } = await published([TREE]);
    const replica = new TestReplica(`${place}/part`, [publication]);
    const config = {
      include: ["a/**", "c/**"],
      exclude: ["c/three"],
      delete: { maxPercent: 100, maxFiles: 100, protect: ["a/mine", "c/own/**/kept"] },
    };
    await replica.sync({ config });
    mkdirSync(`${replica.tree}/c/own/deep`, { recursive: true });
    writeFileSync(`${replica.tree}/a/mine`, "mine");
    writeFileSync(`${replica.tree}/c/own/deep/kept`, "kept");
    utimesSync(`${replica.tree}/a`, 10, 10);
    utimesSync(`${replica.tree}/c`, 14, 14);
    expect(found(await replica.verify({ config }))).toEqual([]);
    writeFileSync(`${replica.tree}/c/three`, "three");
    utimesSync(`${replica.tree}/c`, 14, 14);
    expect(found(await replica.verify({ config }))).toEqual(["extra c/three"]);
  });

  test.each(Array.from({ length: ROUNDS }, (_, at) => FIRST_SEED + at))(
    "all that differs from another random tree, and mends it (SEED=%i)",
    async (seed) => {
      const random = new Random(seed);
      const history = randomHistory(random, 5);
      const shall = history.at(-2) ?? TREE;
      const after = [...(history.at(-1) ?? TREE)];
      const is = new Map(after.filter(([, object]) => object.type !== "fifo"));
      const options = random.pick([{}, { pageEntries: 5 }]);
      const { replica } = await synced(history.slice(0, -1), options);
      remake(replica.tree, is);
      expect(found(await replica.verify({ repair: true }))).toEqual(expectedFindings(shall, is));
      expect(replica.faults(shall)).toEqual([]);
    },
  );
});

describe("repair", () => {
  test("fetches no more than the stripes of what is damaged", async () => {
    const random = new Random();
    const objects: Record<string, ModelObject> = {};
    for (let at = 0; at < 10; at++) objects[`part-${at}`] = folder(50);
    for (let at = 0; at < 400; at++) {
      objects[`part-${Math.floor(at / 40)}/${at}`] = file(random.bytes(20_000), 100 + at);
    }
    const first = model(objects);
    const { replica } = await synced([first], { pageEntries: 16 });
    replaceKept(`${replica.tree}/part-3/130`, random.bytes(20_000));
    const checked = await replica.verify();
    expect(found(checked)).toEqual(["content part-3/130"]);
    const report = await replica.verify({ repair: true });
    expect(report.repaired).toMatchObject({ written: 1, deleted: 0 });
    expect(report.bytes["blocks"]).toBeLessThan(3 * STRIPE);
    expect(replica.faults(first)).toEqual([]);
  });

  test("deletes no more than the guard allows, and goes on when it is told to", async () => {
    const { replica } = await synced([TREE]);
    for (let at = 0; at < 12; at++) writeFileSync(`${replica.tree}/extra-${at}`, "");
    const config = { delete: { maxPercent: 100, maxFiles: 11, protect: [] } };
    await expect(replica.verify({ config, repair: true })).rejects.toMatchObject({
      code: "DELETE_GUARD",
    });
    expect(readdirSync(replica.tree)).toContain("extra-11");
    const report = await replica.verify({ config, repair: true, forcePurge: true });
    expect(report).toMatchObject({ isResumed: true, repaired: { deleted: 12 } });
    expect(replica.faults(TREE)).toEqual([]);
  });

  test("of a set of an older chain, while that is published", async () => {
    const { publication, replica } = await synced([TREE]);
    await publication.addFull(changed(TREE, { b: undefined }));
    rmSync(`${replica.tree}/a/one`);
    expect(await replica.verify({ repair: true })).toMatchObject({ repaired: { written: 1 } });
    expect(replica.faults(TREE)).toEqual([]);
  });
});

describe("a verification refuses", () => {
  test("a tree that is at no set", async () => {
    const { publication, folder: place } = await published([TREE]);
    const replica = new TestReplica(`${place}/new`, [publication]);
    await expect(replica.verify()).rejects.toThrow("run replica sync first");
  });

  test("a tree whose part of the mirror was chosen anew", async () => {
    const { replica } = await synced([TREE]);
    await expect(replica.verify({ config: { exclude: ["a"] } })).rejects.toMatchObject({
      code: "USAGE",
    });
  });

  test("a set that is no longer published", async () => {
    const { publication, replica } = await synced([TREE]);
    await publication.addFull(TREE);
    publication.publish({ ledgers: publication.ledgers.slice(1) });
    await expect(replica.verify()).rejects.toMatchObject({ code: "GAP" });
  });
});

describe("a verification that is cut off", () => {
  test("goes on where it was, and tells of all that was found", async () => {
    const { replica } = await synced([MANY]);
    rmSync(`${replica.tree}/d/0003`);
    replaceKept(`${replica.tree}/d/1400`, "other");
    const report = await stoppedAfterFirstBatch(replica);
    expect(existsSync(stateFiles(replica.state).verify)).toBe(true);
    expect(existsSync(stateFiles(replica.state).verifySpill)).toBe(false);
    expect(report).toBeUndefined();
    const whole = await replica.verify();
    expect(whole.isResumed).toBe(true);
    expect(whole.checked).toEqual({ entries: MANY.size, bytes: 4 * (MANY.size - 4) });
    expect(found(whole)).toEqual(["mtime d", "missing d/0003", "content d/1400"]);
    expect(existsSync(stateFiles(replica.state).verify)).toBe(false);
  });

  test("mends what was found before and after", async () => {
    const { replica } = await synced([MANY]);
    rmSync(`${replica.tree}/d/0003`);
    rmSync(`${replica.tree}/d/1400`);
    await stoppedAfterFirstBatch(replica);
    expect(await replica.verify({ repair: true })).toMatchObject({ repaired: { written: 2 } });
    expect(replica.faults(MANY)).toEqual([]);
  });

  test("compares the rest with the set to which the tree went on", async () => {
    const next = changed(MANY, {
      "d/0001": undefined,
      "d/1300": undefined,
      "d/1400": file("next"),
    });
    const { publication, replica } = await published([MANY, next]);
    publication.showHead(0);
    await replica.sync();
    rmSync(`${replica.tree}/d/1200`);
    await stoppedAfterFirstBatch(replica);
    publication.showHead(1);
    await replica.sync();
    const report = await replica.verify({ repair: true });
    expect(report).toMatchObject({ isResumed: true, set: replica.position });
    expect(found(report)).toEqual(["mtime d", "missing d/1200"]);
    expect(replica.faults(next)).toEqual([]);
  });

  test("begins anew when that was more than a week ago", async () => {
    const { publication, replica } = await synced([MANY]);
    await stoppedAfterFirstBatch(replica);
    replica.runtime.now += 8 * 86_400_000;
    publication.publish({ expiresAt: replica.runtime.now + 1000 });
    expect(await replica.verify()).toMatchObject({ isResumed: false, damaged: 0 });
  });
});

describe("a verification in slices", () => {
  test("stands still while the gate is closed, and goes on with the set of then", async () => {
    const next = changed(MANY, { "d/0001": undefined, "d/1300": undefined });
    const { publication, replica } = await published([MANY, next]);
    publication.showHead(0);
    await replica.sync();
    const gate = new SliceGate();
    let batches = 0;
    const runtime = {
      ...replica.runtime,
      progress: () => {
        if (++batches === 1) void gate.close();
      },
    };
    const report = replica.verify({ gate, runtime });
    gate.open();
    await vi.waitFor(() => expect(batches).toBeGreaterThan(0));
    await gate.close();
    publication.showHead(1);
    await replica.sync();
    expect(batches).toBeLessThan(3);
    gate.open();
    expect(await report).toMatchObject({ damaged: 0, set: replica.position, isResumed: false });
    expect(replica.faults(next)).toEqual([]);
  });
});

const ROUNDS = process.env["SLOW"] === undefined ? 20 : 300;
const FIRST_SEED = new Random().seed;
const STRIPE = 1024 * 1024;

/** More than two batches of a comparison. */
const MANY = model({
  d: folder(77),
  ...Object.fromEntries(
    Array.from({ length: 1500 }, (_, at) => {
      const name = String(at).padStart(4, "0");
      return [`d/${name}`, file(name, at)];
    }),
  ),
});

async function published(trees: readonly Model[], options: PublicationOptions = {}) {
  const place = fastTemporaryFolder();
  const publication = await publishHistory(`${place}/publication`, trees, options);
  const replica = new TestReplica(`${place}/replica`, [publication]);
  return { folder: place, publication, replica };
}

async function synced(trees: readonly Model[], options: PublicationOptions = {}) {
  const made = await published(trees, options);
  await made.replica.sync();
  return made;
}

function found({ findings }: VerifyReport): string[] {
  return findings.map(({ kind, path: at }) => `${kind} ${at}`);
}

/** Cuts a verification off once something was compared. */
async function stoppedAfterFirstBatch(replica: TestReplica): Promise<VerifyReport | undefined> {
  const stop = new AbortController();
  const runtime = {
    ...replica.runtime,
    progress: (_: string, entries: number) => {
      if (entries > 0) stop.abort();
    },
  };
  return await replica.verify({ runtime, signal: stop.signal }).catch(() => undefined);
}

/** As a disk that loses bits does: the time stays. */
function replaceKept(place: string, content: string | Buffer): void {
  const { atimeMs, mtimeMs } = statSync(place);
  writeFileSync(place, content);
  utimesSync(place, atimeMs / 1000, mtimeMs / 1000);
}

function replaceBy(place: string, make: (place: string) => void): void {
  rmSync(place, { recursive: true });
  make(place);
}

/** The same root with something else in it. */
function remake(tree: string, objects: Model): void {
  execaSync("chmod", ["-R", "u+rwx", "--", tree]);
  for (const name of readdirSync(Buffer.from(tree), "buffer")) {
    rmSync(Buffer.concat([Buffer.from(`${tree}/`), name]), { recursive: true });
  }
  writeModel(tree, objects);
}

/** What a comparison must find, straight from the definitions; the time of the root is set right by every operation. */
function expectedFindings(shall: Model, is: Model): string[] {
  return sortedPaths(new Set([...shall.keys(), ...is.keys()])).flatMap((at) =>
    kindsOf(shall.get(at), is.get(at))
      .filter((kind) => at !== "" || kind !== "mtime")
      .map((kind) => `${kind} ${displayPath(at)}`),
  );
}

function kindsOf(shall: ModelObject | undefined, is: ModelObject | undefined): string[] {
  if (shall === undefined || is === undefined) return [shall === undefined ? "extra" : "missing"];
  if (shall.type !== is.type) return ["type"];
  const kinds: string[] = [];
  if (shall.type === "file" && is.type === "file" && !shall.content.equals(is.content)) {
    kinds.push("content");
  }
  if (shall.type === "symlink") {
    return is.type === "symlink" && shall.target !== is.target ? ["target"] : [];
  }
  if (shall.mode !== is.mode) kinds.push("mode");
  if (shall.mtime !== is.mtime) kinds.push("mtime");
  return kinds;
}
