/**
 * Random histories through real duplicity: a full set and twelve increments of a tree that lives, published by our master
 * and followed by replicas in every way that they can.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { describe, expect, test, vi } from "vitest";
import { type Bench, KEYS, makeBench } from "../master/support/master-bench.js";
import {
  backUpWords,
  DUPLICITY,
  FIRST_SET_TIME,
  NO_DUPLICITY,
} from "../master/support/repositories.js";
import { syncInProcess } from "../support/in-process.js";
import { Random, sample } from "../support/random.js";
import { fastLastingFolder, removeFolder } from "../support/temporary.js";
import { compareLists, listTree, type TreeRecord } from "../support/tree-compare.js";
import { fileUrl, makeReplica, type Replica } from "../support/workspace.js";
import { keptByDuplicity } from "./support/kept-by-duplicity.js";
import { LEAST_OBJECTS, LivingTree } from "./support/living-tree.js";

// Nothing in memory gains from a sync, which is a process of its own for each of thousands of cycles.
vi.mock("../../src/programs/sync.js", () => ({ syncFileSystem: () => Promise.resolve() }));

const HISTORIES = process.env["SLOW"] === undefined ? 1 : 200;
const SETS = 13;
const SET_SECONDS = 3600;
const FIRST_SEED = new Random().seed;
const SHAPES = [
  { k: 1, n: 1 },
  { k: 2, n: 3 },
  { k: 3, n: 5 },
];

describe.skipIf(NO_DUPLICITY)(`a random history through duplicity ${NO_DUPLICITY ?? ""}`, () => {
  const seeds = Array.from({ length: HISTORIES }, (_, at) => FIRST_SEED + at);
  // Side by side: half of the time is duplicity's, in processes of its own.
  test.concurrent.each(seeds)("gives every replica every tree of it (SEED=%i)", async (seed) => {
    const folder = fastLastingFolder();
    try {
      await checkHistory(folder, new Random(seed));
    } finally {
      removeFolder(folder);
    }
  });
});

/** A set as it was published: what the chain holds of the tree, and the head that names it. */
interface Published {
  readonly kept: readonly TreeRecord[];
  readonly head: Uint8Array;
  readonly time: number;
}

async function checkHistory(folder: string, random: Random): Promise<void> {
  const follower = replicaIn(folder, "follower");
  const published: Published[] = [];
  for await (const set of publishHistory(folder, random)) {
    await expectTree(follower, set, `follower at set ${published.length}`);
    published.push(set);
  }
  await checkJumps({ folder, published, random });
  await checkRestores({ folder, published, random });
}

/** Backs up and publishes set after set of a tree that lives in between; half of the histories begin a second chain. */
async function* publishHistory(folder: string, random: Random): AsyncGenerator<Published> {
  const root = path.join(folder, "tree");
  const secondFull = 1 + random.below(2 * SETS);
  // A replica that finds another chain compares sizes and times, so it cannot see either what was changed silently.
  const silent = secondFull >= SETS;
  const tree = new LivingTree({ root, workshop: path.join(folder, "workshop"), random, silent });
  const bench = externalBench(folder, random);
  const compress = random.pick([true, false]);
  let kept: readonly TreeRecord[] = [];
  for (let number = 0; number < SETS; number++) {
    if (number > 0) tree.live();
    const now = listTree(root);
    expect(now.length).toBeGreaterThan(LEAST_OBJECTS);
    const time = FIRST_SET_TIME + number * SET_SECONDS;
    const full = number === secondFull;
    await duplicity(backUpWords({ folder, time, compress, full }));
    await bench.publish();
    kept = keptByDuplicity(full ? [] : kept, now);
    yield { kept, time, head: readFileSync(headOf(folder)) };
  }
}

/** Replicas that miss sets, and one that has nothing when all is published. */
async function checkJumps({ folder, published, random }: Checked): Promise<void> {
  const last = published.length - 1;
  const starts = sample([...published.keys()].slice(0, -1), 3, random);
  for (const start of starts) {
    const replica = replicaIn(folder, `from-${start}`);
    const end = start + 1 + random.below(last - start);
    for (const at of [start, end, last]) {
      writeFileSync(headOf(folder), published[at]?.head ?? "");
      await expectTree(replica, published[at], `replica from set ${start} at set ${at}`);
    }
  }
  await expectTree(replicaIn(folder, "fresh"), published[last], "fresh replica");
}

/** What replicas were compared with is what duplicity itself restores, but for the times of symlinks, which it does not set. */
async function checkRestores({ folder, published, random }: Checked): Promise<void> {
  for (const number of sample([...published.keys()], 2, random)) {
    const set = published[number];
    if (set === undefined) throw new RangeError(`no set ${number}`);
    const restored = path.join(folder, `restored-${number}`);
    const words = ["--archive-dir", path.join(folder, "archive"), "--name", "test"];
    const source = `file://${path.join(folder, "repository")}`;
    const time = ["--no-encryption", "--time", `${set.time}`];
    await duplicity(["restore", ...words, ...time, source, restored]);
    expect(compareLists(set.kept, listTree(restored)), `restore of set ${number}`).toEqual([]);
    removeFolder(restored);
  }
}

interface Checked {
  readonly folder: string;
  readonly published: readonly Published[];
  readonly random: Random;
}

function externalBench(folder: string, random: Random): Bench {
  const shares = random.pick(SHAPES);
  const { duplicity: settings } = makeBench(folder).config;
  return makeBench(folder, { shares, duplicity: { ...settings, engine: "external" } });
}

function replicaIn(folder: string, name: string): Replica {
  const place = path.join(folder, name);
  mkdirSync(place);
  const keyFile = path.join(place, "key");
  writeFileSync(keyFile, KEYS.verifierKey);
  return makeReplica(place, { sources: [fileUrl(path.join(folder, "publication"))], keyFile });
}

async function expectTree(
  replica: Replica,
  set: Published | undefined,
  who: string,
): Promise<void> {
  expect(await syncInProcess(replica), who).toEqual({ kind: "synced" });
  expect(compareLists(set?.kept ?? [], listTree(replica.tree)), who).toEqual([]);
}

function headOf(folder: string): string {
  return path.join(folder, "publication", "head");
}

async function duplicity(words: readonly string[]): Promise<void> {
  await execa(DUPLICITY, words, { env: { LC_ALL: "C.UTF-8" }, stdin: "ignore" });
}
