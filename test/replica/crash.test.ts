import { existsSync, statSync } from "node:fs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { ConfinedTree } from "../../src/disk/confined.js";
import { formatSetName } from "../../src/duplicity/names.js";
import { STRIPE_SIZE_BYTES } from "../../src/limits.js";
import { stateFiles } from "../../src/replica/state-files.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareLists, listTree } from "../support/tree-compare.js";
import { TestReplica } from "./support/bench.js";
import { Crash, type CutKind, cutter, watchMethods } from "./support/crashing.js";
import {
  changed,
  fifo,
  file,
  folder,
  link,
  type Model,
  model,
  randomHistory,
  writeModel,
} from "./support/model.js";
import { FIRST_SET, publishHistory, type TestPublication } from "./support/publication.js";

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
const NO_SET = { kind: "full", time: FIRST_SET } as const;

const FIRST = model({
  "": folder(5000, 0o750),
  InRelease: file("first index", 1),
  "dists/InRelease": file("inner index", 2),
  dists: folder(3),
  "dists/a": file(BYTES, 4),
  "dists/touched": file("same", 5),
  "becomes-file": folder(6, 0o700),
  "becomes-file/x": file("x", 7),
  "becomes-file/y": folder(8),
  "becomes-file/y/z": link("nowhere"),
  "becomes-folder": file("was a file", 9),
  "becomes-link": folder(10),
  "becomes-link/in": file("in", 11),
  gone: folder(12, 0o555),
  "gone/a": file("a", 13),
  "gone/b": folder(14),
  "gone/b/c": file("c", 15),
  link: link("first"),
  "read-only": folder(16, 0o500),
  "read-only/old": file("old", 17, 0o400),
});

const SECOND = changed(FIRST, {
  InRelease: file("second index", 101),
  "dists/InRelease": file("second inner index", 102),
  "dists/a": file(Buffer.concat([BYTES.subarray(0, 2000), Buffer.from("new end")]), 104, 0o600),
  "dists/touched": file("same", 105, 0o640),
  "becomes-file": file("now a file", 106, 0o755),
  "becomes-folder": folder(109, 0o711),
  "becomes-folder/new": file("new", 110),
  "becomes-folder/deep": folder(111),
  "becomes-folder/deep/InRelease": file("new index", 112),
  "becomes-folder/deep/by": file("beside", 113),
  "becomes-link": link("elsewhere"),
  gone: undefined,
  link: link("second"),
  "read-only": folder(116, 0o555),
  "read-only/new": file("new", 117),
});

const THIRD = changed(SECOND, {
  "": folder(9000, 0o755),
  "dists/a": file(Buffer.concat([Buffer.from("new start"), BYTES]), 204),
  "becomes-folder": undefined,
  InRelease: file("third index", 201),
});

/** Everything goes; what is left is the root as it was. */
const EMPTY = new Map([["", THIRD.get("") ?? folder()]]);

interface Scenario {
  readonly name: string;
  readonly trees: readonly Model[];
  /** The set to be at before, or the tree that another program made. */
  readonly start: number | Model | undefined;
  readonly target: number;
  /** The set that is the newest when the next run comes. */
  readonly later: number;
  /** What is wrong with the tree that the cycle finds. */
  readonly damage?: Model;
  readonly kinds: readonly CutKind[];
}

const WITH_FIFO = changed(FIRST, { pipe: fifo(20, 0o620) });

const SCENARIOS: readonly Scenario[] = [
  {
    name: "a fresh tree",
    trees: [WITH_FIFO],
    start: undefined,
    target: 0,
    later: 0,
    kinds: ["dies", "fails"],
  },
  {
    name: "the next set",
    trees: [FIRST, SECOND, THIRD],
    start: 0,
    target: 1,
    later: 1,
    kinds: ["dies"],
  },
  {
    name: "the next set, before another comes",
    trees: [FIRST, SECOND, THIRD],
    start: 0,
    target: 1,
    later: 2,
    kinds: ["dies"],
  },
  {
    name: "the set after the next",
    trees: [FIRST, SECOND, THIRD],
    start: 0,
    target: 2,
    later: 2,
    kinds: ["dies"],
  },
  {
    name: "an empty tree",
    trees: [FIRST, THIRD, EMPTY],
    start: 1,
    target: 2,
    later: 2,
    kinds: ["dies", "fails"],
  },
  {
    name: "the newest set from a tree made by others",
    trees: [FIRST, SECOND],
    start: FIRST,
    target: 1,
    later: 1,
    kinds: ["dies"],
  },
  {
    name: "the newest set from a tree made by others that is right",
    trees: [FIRST, SECOND],
    start: SECOND,
    target: 1,
    later: 1,
    kinds: ["dies", "fails"],
  },
  {
    name: "the next set from damaged files",
    trees: [FIRST, SECOND],
    start: 0,
    target: 1,
    later: 1,
    damage: new Map([
      ["dists/a", file("other bytes", 4)],
      ["dists/touched", file("sane", 5)],
    ]),
    kinds: ["dies", "fails"],
  },
];

describe.each(SCENARIOS)("a cycle to $name, cut off before any step", (scenario) => {
  test.each(scenario.kinds)("is right after the next run when it %s", async (kind) => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, scenario.trees);
    let outcome: Outcome = "cut";
    for (let number = 0; outcome !== "whole"; number++) {
      const replica = await prepare(`${work}/${number}`, publication, scenario);
      const before = existsSync(replica.tree) ? listTree(replica.tree) : [];
      publication.showHead(scenario.target);
      outcome = await runCut(replica, number, kind);
      const isUndone = outcome === "undone" && kind === "fails" && before.length > 0;
      const untouched = isUndone ? compareLists(before, listTree(replica.tree)) : [];
      publication.showHead(scenario.later);
      await replica.sync();
      const faults = replica.faults(publication.trees[scenario.later] ?? new Map());
      const at = formatSetName(publication.sets[scenario.later] ?? NO_SET);
      expect({ number, untouched, faults, position: replica.position }).toEqual({
        number,
        untouched: [],
        faults: [],
        position: at,
      });
    }
    expect(cutter.count).toBeGreaterThan(8);
  });
});

describe.each(["dies", "fails"] as const)("going back, when it %s before any step", (kind) => {
  test("reaches the set or leaves the tree, and is held as soon as it is not as it was", async () => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, [FIRST, SECOND, THIRD]);
    const names = publication.sets.map(formatSetName);
    const [target = "", start = "", later = ""] = names;
    const treeAt = (name: string | undefined) =>
      publication.trees[names.indexOf(name ?? "")] ?? FIRST;
    let outcome: Outcome = "cut";
    let heldCount = 0;
    for (let number = 0; outcome !== "whole"; number++) {
      publication.showHead(1);
      const replica = new TestReplica(`${work}/${number}`, [publication]);
      await replica.sync();
      outcome = await runCut(replica, number, kind, () => replica.rollBack(target));
      const { hold, journal } = stateFiles(replica.state);
      const isHeld = existsSync(hold);
      const hasBegun = existsSync(journal) || replica.position === target;
      publication.showHead(2);
      const { strategy } = await replica.sync();
      const at = replica.position;
      const expected = hasBegun ? target : isHeld ? start : later;
      const faults = replica.faults(treeAt(at));
      expect({ number, isHeld, strategy, at, faults }).toEqual({
        number,
        isHeld: isHeld || hasBegun,
        strategy: isHeld ? "none" : "follow",
        at: expected,
        faults: [],
      });
      heldCount += isHeld ? 1 : 0;
      await replica.rollBack(target);
      expect(replica.faults(FIRST)).toEqual([]);
      await replica.sync();
      expect(replica.position).toBe(target);
      await replica.rollBack("newest");
      expect(replica.faults(THIRD)).toEqual([]);
    }
    expect(heldCount).toBeGreaterThan(8);
  });
});

test("a fresh tree, cut off before any step, is fetched only as far as it is not staged", async () => {
  const work = fastTemporaryFolder();
  const random = new Random(3);
  const names = Array.from({ length: 8 }, (_, at) => String(at));
  const files = names.map((name) => [name, file(random.bytes(600_000), 10)] as const);
  const tree = model({ "": folder(1), ...Object.fromEntries(files) });
  const publication = await publishHistory(`${work}/publication`, [tree]);
  let outcome: Outcome = "cut";
  let resumedCount = 0;
  for (let number = 0; outcome !== "whole"; number++) {
    const replica = new TestReplica(`${work}/${number}`, [publication]);
    outcome = await runCut(replica, number, "dies");
    const missing = names.filter((name) => !isStaged(replica, name));
    const { estimate } = await replica.sync({ dryRun: true });
    if (estimate !== undefined) {
      const stripes = Math.floor((missing.length * 600_000) / STRIPE_SIZE_BYTES) + 2;
      expect(estimate.stripes, `step ${number}`).toBeLessThanOrEqual(stripes);
      resumedCount += missing.length < names.length ? 1 : 0;
    }
    const { bytes } = await replica.sync();
    expect(bytes["blocks"] ?? 0).toBe(estimate?.bytes ?? 0);
    expect(replica.faults(tree)).toEqual([]);
  }
  expect(resumedCount).toBeGreaterThan(names.length);
});

const FIRST_SEED = new Random().seed;
const SEEDS = Array.from({ length: 20 }, (_, at) => FIRST_SEED + at);

test.each(SEEDS)("random cycles cut off again and again end right (SEED=%i)", async (seed) => {
  const work = fastTemporaryFolder();
  const random = new Random(seed);
  const publication = await publishHistory(`${work}/publication`, randomHistory(random, 4));
  const replica = new TestReplica(work, [publication]);
  for (const [at, tree] of publication.trees.entries()) {
    publication.showHead(at);
    for (let cuts = random.below(5); cuts > 0; cuts--) {
      await runCut(replica, random.below(80), "dies");
    }
    await replica.sync();
    expect({ at, faults: replica.faults(tree) }).toEqual({ at, faults: [] });
  }
});

async function prepare(
  place: string,
  publication: TestPublication,
  { start, damage }: Scenario,
): Promise<TestReplica> {
  const replica = new TestReplica(place, [publication]);
  if (typeof start === "number") {
    publication.showHead(start);
    await replica.sync();
  } else if (start !== undefined) {
    writeModel(replica.tree, start);
  }
  if (damage !== undefined) writeModel(replica.tree, damage);
  return replica;
}

/** As it will be in the tree. */
function isStaged({ tree }: TestReplica, name: string): boolean {
  const stat = statSync(`${tree}/.dupmirror/stage/${name}`, { throwIfNoEntry: false });
  return stat !== undefined && stat.mtimeMs < 1_000_000;
}

/** `undone`: cut off before a commit; `cut`: at any other time. */
type Outcome = "whole" | "undone" | "cut";

async function runCut(
  replica: TestReplica,
  number: number,
  kind: CutKind,
  work: () => Promise<unknown> = () => replica.sync(),
): Promise<Outcome> {
  const before = replica.position;
  cutter.arm(number, kind);
  try {
    await work();
    return "whole";
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    const hasJournal = existsSync(stateFiles(replica.state).journal);
    return hasJournal || replica.position !== before ? "cut" : "undone";
  } finally {
    cutter.disarm();
  }
}
