import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, vi } from "vitest";
import { formatSetName } from "../../src/duplicity/names.js";
import { listSets } from "../../src/replica/rollback.js";
import { stateFiles } from "../../src/replica/state-files.js";
import { replicaStatus } from "../../src/replica/status.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { fingerprintTree } from "../support/tree-compare.js";
import { TestReplica } from "./support/bench.js";
import {
  changed,
  file,
  folder,
  link,
  type Model,
  model,
  randomHistory,
  writeModel,
} from "./support/model.js";
import { TestPublication } from "./support/publication.js";

vi.mock("../../src/programs/flock.js", () => ({ tryLock: () => Promise.resolve(true) }));

const FIRST = model({
  a: folder(10),
  "a/kept": file("kept", 11),
  "a/changes": file(new Random(1).bytes(100_000), 12),
  gone: file("gone later", 13),
});
const SECOND = changed(FIRST, { "a/changes": file("short", 22), gone: undefined, l: link("a") });
const THIRD = changed(SECOND, { "a/new": file("new", 31), l: undefined });
const TREES = [FIRST, SECOND, THIRD, THIRD, changed(THIRD, { last: file("last", 41) })];

describe("going back", () => {
  test("reaches every set of both chains, and stays there whatever is published", async () => {
    const { publication, replica, names } = await published();
    for (const [at, name] of names.entries()) {
      const report = await replica.rollBack(name);
      expect(report).toMatchObject({
        strategy: "rebase",
        positionAfter: { set: name },
        held: { set: name, isReached: true, isRetained: true },
      });
      expect(replica.faults(TREES[at] ?? FIRST)).toEqual([]);
      const untouched = fingerprintTree(replica.tree);
      publication.publish();
      const { generation } = publication;
      expect(await replica.sync()).toMatchObject({
        strategy: "none",
        generation,
        held: { set: name },
      });
      expect(fingerprintTree(replica.tree)).toBe(untouched);
    }
  });

  test("fetches only what differs, and ends by following again", async () => {
    const { publication, replica, names } = await published();
    await publication.addIncrement(FIRST);
    const report = await replica.rollBack(names[3] ?? "");
    expect(report.files).toMatchObject({ written: 0, patched: 0, deleted: 1 });
    expect(report.bytes["blocks"]).toBe(0);
    const end = await replica.rollBack("newest");
    expect(end).toMatchObject({ strategy: "follow", setsFollowed: 2 });
    expect(end.held).toBeUndefined();
    expect(replica.faults(FIRST)).toEqual([]);
    await publication.addIncrement(SECOND);
    expect(await replica.sync()).toMatchObject({ strategy: "follow" });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("finds what was changed here, also in a tree that is at the set", async () => {
    const { replica, names } = await published();
    const name = names[1] ?? "";
    await replica.rollBack(name);
    writeModel(replica.tree, new Map([["a/kept", file("other", 99)]]));
    writeFileSync(path.join(replica.tree, "extra"), "");
    await replica.rollBack(name);
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("trusts size and time unless it is told to read the files", async () => {
    const { replica, names } = await published();
    writeModel(replica.tree, new Map([["a/kept", file("kepT", 11)]]));
    await replica.rollBack(names[1] ?? "");
    expect(replica.faults(SECOND)).toHaveLength(1);
    await replica.rollBack(names[1] ?? "", { checksum: true });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("makes a tree where none is yet", async () => {
    const { publication, names } = await published();
    const replica = new TestReplica(fastTemporaryFolder(), [publication]);
    expect(await replica.rollBack(names[1] ?? "")).toMatchObject({ strategy: "fresh" });
    expect(replica.faults(SECOND)).toEqual([]);
    expect(await replica.sync()).toMatchObject({ strategy: "none", held: { isReached: true } });
  });

  test("is only planned when it is a dry run, and so is its end", async () => {
    const { replica, names } = await published();
    const untouched = fingerprintTree(replica.tree);
    const plan = await replica.rollBack(names[0] ?? "", { dryRun: true });
    expect(plan).toMatchObject({ strategy: "rebase", files: { written: 2 } });
    expect(plan.estimate?.bytes).toBeGreaterThan(0);
    expect(fingerprintTree(replica.tree)).toBe(untouched);
    expect(await replica.sync()).not.toHaveProperty("held");
    await replica.rollBack(names[0] ?? "");
    expect(await replica.rollBack("newest", { dryRun: true })).toMatchObject({
      strategy: "rebase",
    });
    expect(await replica.sync()).toMatchObject({ strategy: "none", held: { set: names[0] } });
    expect(replica.faults(FIRST)).toEqual([]);
  });

  test("obeys the guards, and leaves the hold as it was when it cannot", async () => {
    const { replica, names } = await published();
    const [first = "", second = ""] = names;
    const config = { delete: { maxPercent: 100, maxFiles: 0, protect: [] } };
    await expect(replica.rollBack(first, { config })).rejects.toMatchObject({
      code: "DELETE_GUARD",
    });
    expect(existsSync(stateFiles(replica.state).hold)).toBe(false);
    await replica.rollBack(first, { config, forcePurge: true });
    await expect(replica.rollBack(second, { config })).rejects.toMatchObject({
      code: "DELETE_GUARD",
    });
    expect(await replica.sync()).toMatchObject({ held: { set: first, isReached: true } });
  });

  test.each([
    ["full.20010101T000000Z", "GAP"],
    ["2001-01-01", "GAP"],
    ["soon", "USAGE"],
  ])("to %s is refused, and nothing is changed", async (to, code) => {
    const { replica } = await published();
    await expect(replica.rollBack(to)).rejects.toMatchObject({ code });
    expect(await replica.sync()).not.toHaveProperty("held");
    expect(replica.faults(TREES[4] ?? FIRST)).toEqual([]);
  });

  test("to a withheld set is refused, to one past it is not", async () => {
    const publication = new TestPublication(`${fastTemporaryFolder()}/publication`);
    await publication.addFull(FIRST);
    await publication.addIncrement(SECOND, { isWithheld: true });
    await publication.addIncrement(THIRD);
    const replica = new TestReplica(fastTemporaryFolder(), [publication]);
    const [first = "", withheld = "", third = ""] = publication.sets.map(formatSetName);
    const refusal = { code: "GAP", message: expect.stringContaining("withheld") as string };
    await expect(replica.rollBack(withheld)).rejects.toMatchObject(refusal);
    expect((await list(replica)).sets.map(({ set }) => set)).toEqual([first, third]);
    await replica.rollBack(third);
    expect(replica.faults(THIRD)).toEqual([]);
  });
});

describe("a tree that is held", () => {
  test("stays when its chain is dropped, and that is said", async () => {
    const { publication, replica, names } = await published();
    const name = names[1] ?? "";
    await replica.rollBack(name);
    const [, newest] = publication.ledgers;
    publication.publish(newest === undefined ? {} : { ledgers: [newest] });
    const held = { set: name, isReached: true, isRetained: false };
    expect(await replica.sync()).toMatchObject({ strategy: "none", held });
    const status = replicaStatus(replica.config, replica.runtime.clock);
    expect(status).toMatchObject({ held, isCurrent: false, position: { set: name } });
    expect(replica.faults(SECOND)).toEqual([]);
    await expect(replica.rollBack(name)).rejects.toMatchObject({ code: "GAP" });
    expect(await replica.sync()).toMatchObject({ held });
    expect(await replica.rollBack("newest")).toMatchObject({ strategy: "rebase" });
    expect(replica.faults(TREES[4] ?? FIRST)).toEqual([]);
  });

  test("is verified and mended where it is", async () => {
    const { replica, names } = await published();
    await replica.rollBack(names[0] ?? "");
    writeModel(replica.tree, new Map([["a/kept", file("kepT", 11)]]));
    await replica.verify({ repair: true });
    expect(replica.faults(FIRST)).toEqual([]);
    expect(await replica.sync()).toMatchObject({ held: { set: names[0], isReached: true } });
  });

  test("is not let go by a record that cannot be read", async () => {
    const { replica, names } = await published();
    await replica.rollBack(names[0] ?? "");
    writeFileSync(stateFiles(replica.state).hold, "{");
    await expect(replica.sync()).rejects.toMatchObject({ code: "DISK_FAILED" });
    expect(replica.faults(FIRST)).toEqual([]);
  });

  test("is told of with the sets that it can go to", async () => {
    const { publication, replica, names } = await published();
    await replica.rollBack(names[1] ?? "");
    const { sets, held, position } = await list(replica);
    expect(held?.set).toBe(names[1]);
    expect(position?.set).toBe(names[1]);
    expect(sets.map(({ set }) => set)).toEqual(names);
    expect(sets.map(({ isPosition }) => isPosition)).toEqual([false, true, false, false, false]);
    expect(sets.map(({ isNewest }) => isNewest)).toEqual([false, false, false, false, true]);
    const [first] = publication.sets;
    expect(sets[0]?.time).toBe(new Date((first?.time ?? 0) * 1000).toISOString());
  });
});

test("random histories are gone through in any order", async () => {
  const random = new Random();
  const trees = withTellingTimes(randomHistory(random, 6));
  const work = fastTemporaryFolder();
  const publication = new TestPublication(`${work}/publication`);
  for (const [at, tree] of trees.entries()) {
    await (at % 3 === 0 ? publication.addFull(tree) : publication.addIncrement(tree));
  }
  const replica = new TestReplica(work, [publication]);
  for (let turn = 0; turn < 15; turn++) {
    const at = random.below(trees.length);
    const set = publication.sets[at];
    await replica.rollBack(set === undefined ? "" : formatSetName(set));
    const faults = replica.faults(trees[at] ?? FIRST);
    expect({ seed: random.seed, turn, faults }).toEqual({ seed: random.seed, turn, faults: [] });
  }
});

/** A rebase takes files of equal size and time for equal; here they are. */
function withTellingTimes(trees: readonly Model[]): Model[] {
  const contents = new Map<string, Buffer>();
  return trees.map((tree) => {
    const told = new Map(tree);
    for (const [name, object] of tree) {
      if (object.type !== "file") continue;
      const { content } = object;
      let { mtime } = object;
      const keyOf = () => [name, content.length, mtime].join("\n");
      while (contents.get(keyOf())?.equals(content) === false) mtime++;
      contents.set(keyOf(), content);
      told.set(name, { ...object, mtime });
    }
    return told;
  });
}

/** Two chains, three sets and two, with a replica at the newest. */
async function published(): Promise<{
  readonly publication: TestPublication;
  readonly replica: TestReplica;
  readonly names: readonly string[];
}> {
  const work = fastTemporaryFolder();
  const publication = new TestPublication(`${work}/publication`);
  for (const [at, tree] of TREES.entries()) {
    await (at === 0 || at === 3 ? publication.addFull(tree) : publication.addIncrement(tree));
  }
  const replica = new TestReplica(work, [publication]);
  await replica.sync();
  return { publication, replica, names: publication.sets.map(formatSetName) };
}

async function list({ config, runtime }: TestReplica) {
  return await listSets({ config, runtime, signal: new AbortController().signal });
}
