import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { ConfinedTree } from "../../src/disk/confined.js";
import { reassemble } from "../../src/replica/reassemble.js";
import { restoreTree } from "../../src/replica/restore.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import { Crash, cutter, watchMethods } from "./support/crashing.js";
import { changed, fifo, file, folder, link, model, writeModel } from "./support/model.js";
import { publishHistory, type TestPublication } from "./support/publication.js";

vi.mock("../../src/disk/durable.js", async (original) => {
  const { cuttable, DURABLE_STEPS } = await import("./support/crashing.js");
  return cuttable(await original<object>(), DURABLE_STEPS);
});
vi.mock("../../src/disk/files.js", async (original) => {
  const { cuttable } = await import("./support/crashing.js");
  return cuttable(await original<object>(), ["writeNewFile"]);
});
vi.mock("../../src/programs/flock.js", () => ({ tryLock: () => Promise.resolve(true) }));
vi.mock("../../src/programs/sync.js", async () => {
  const { cuttable } = await import("./support/crashing.js");
  return cuttable({ syncFileSystem: () => Promise.resolve() }, ["syncFileSystem"]);
});

beforeAll(() => watchMethods(ConfinedTree.prototype));

const BYTES = new Random(1).bytes(3000);

const FIRST = model({
  "": folder(5000, 0o750),
  a: file(BYTES, 1),
  "deep/deeper": folder(2, 0o500),
  "deep/deeper/b": file("b", 3, 0o400),
  deep: folder(4),
  link: link("nowhere"),
  pipe: fifo(20, 0o620),
});

const SECOND = changed(FIRST, {
  a: file(Buffer.concat([BYTES, BYTES]), 101),
  "deep/deeper/b": undefined,
  new: file("new", 102),
});

const options = ({ config, runtime }: TestReplica) => {
  const { signal } = new AbortController();
  return { config, runtime, signal, at: undefined };
};

describe("a restore that dies before any step", () => {
  test("is finished by the next one, which does not do it again", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND]);
    let isWhole = false;
    let finishedCount = 0;
    for (let number = 0; !isWhole; number++) {
      const replica = new TestReplica(`${work}/${number}`, [publication]);
      isWhole = await runCut(number, () => restoreTree(options(replica)));
      const report = await restoreTree(options(replica));
      finishedCount += report.strategy === "none" ? 1 : 0;
      expect({ number, faults: replica.faults(SECOND) }).toEqual({ number, faults: [] });
    }
    expect(finishedCount).toBeGreaterThan(5);
    expect(cutter.count).toBeGreaterThan(20);
  });

  test("leaves what somebody put there after it, and makes no other set of it", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND]);
    const replica = new TestReplica(work, [publication]);
    await restoreTree(options(replica));
    const more = new Map([["more", file("more", 1)]]);
    writeModel(replica.tree, more);
    expect(await restoreTree(options(replica))).toMatchObject({ strategy: "none" });
    const older = { ...options(replica), at: "20231114T221420Z" };
    await expect(restoreTree(older)).rejects.toMatchObject({ code: "USAGE" });
    expect(existsSync(path.join(replica.tree, "more"))).toBe(true);
  });

  test("takes a head whose time is over only when that is asked for", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND]);
    const replica = new TestReplica(work, [publication]);
    replica.runtime.now += 30 * 86_400_000;
    const refusal = { code: "HEAD_EXPIRED" };
    await expect(restoreTree(options(replica))).rejects.toMatchObject(refusal);
    await restoreTree({ ...options(replica), mayBeExpired: true });
    expect(replica.faults(SECOND)).toEqual([]);
  });

  test("begins anew when somebody took away what was made", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND]);
    const replica = new TestReplica(work, [publication]);
    await restoreTree(options(replica));
    removeFolder(replica.tree);
    expect(await restoreTree(options(replica))).toMatchObject({ strategy: "fresh" });
    expect(replica.faults(SECOND)).toEqual([]);
  });
});

describe("a reassembly that dies before any step", () => {
  test("has only whole files, and is finished by the next one, which fetches no file again", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND, FIRST]);
    const whole = await reassembleAt(`${work}/whole`, publication);
    let isWhole = false;
    for (let number = 0; !isWhole; number++) {
      const replica = new TestReplica(`${work}/${number}`, [publication]);
      isWhole = await runCut(number, () => reassemble(options(replica)));
      const before = existsSync(replica.tree)
        ? namedFiles(replica.tree)
        : new Map<string, string>();
      for (const [name, bytes] of before) expect(bytes, name).toBe(whole.get(name));
      const report = await reassemble(options(replica));
      expect({ number, ...report.files }).toEqual({
        number,
        fetched: whole.size - before.size,
        kept: before.size,
      });
      expect(namedFiles(replica.tree)).toEqual(whole);
      expect(readdirSync(replica.tree)).toHaveLength(whole.size);
    }
    expect(cutter.count).toBeGreaterThan(15);
  });
});

async function reassembleAt(
  place: string,
  publication: TestPublication,
): Promise<ReadonlyMap<string, string>> {
  const replica = new TestReplica(place, [publication]);
  await reassemble(options(replica));
  const files = namedFiles(replica.tree);
  expect(files.size).toBe(3);
  return files;
}

/** By name, but for what is unfinished. */
function namedFiles(place: string): Map<string, string> {
  const names = readdirSync(place).filter((name) => !name.startsWith("."));
  return new Map(names.map((name) => [name, readFileSync(path.join(place, name), "base64")]));
}

/** @returns whether all steps were done */
async function runCut(number: number, work: () => Promise<unknown>): Promise<boolean> {
  cutter.arm(number, "dies");
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return false;
  } finally {
    cutter.disarm();
  }
}
