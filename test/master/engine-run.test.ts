import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { masterStatus } from "../../src/master/status.js";
import { readWithheld } from "../../src/master/withheld.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { liveOneStep, makeTree, timeOfStep, writeTimed } from "../support/trees.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { type Bench, makeBench } from "./support/master-bench.js";
import { NO_DUPLICITY } from "./support/repositories.js";

describe.skipIf(NO_DUPLICITY)(`running duplicity ${NO_DUPLICITY ?? ""}`, () => {
  const random = new Random();
  const check = async ({ config }: Bench) =>
    await checkPublication({
      folders: [config.publication],
      repository: config.repository,
      random,
    });

  it(`publishes a full set, increments, and a full set when asked (seed ${random.seed})`, async () => {
    const bench = makeBench(fastTemporaryFolder());
    const paths = makeTree(bench.config.tree, { files: 300, meanSizeBytes: 8000 });
    expect((await bench.publish()).sets.map((set) => set.volumeCount)).toEqual([3]);
    for (const step of [1, 2]) {
      liveOneStep(bench.config.tree, paths, step);
      expect((await bench.publish()).generation).toBe(step + 1);
    }
    expect((await check(bench)).lineage).toHaveLength(3);
    await bench.publish({ full: true });
    const { lineage, head } = await check(bench);
    expect(lineage).toHaveLength(1);
    expect(head.ledgers).toHaveLength(2);
  });

  it("ends a chain that is old enough with an increment, and begins another with a full set", async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree, duplicity } = bench.config;
    const paths = makeTree(tree, { files: 30 });
    await bench.publish();
    liveOneStep(tree, paths, 1);
    const hasty = { ...bench.config, duplicity: { ...duplicity, fullEveryMs: 1 } };
    const { sets, newest } = await bench.publish({ config: hasty });
    expect(sets.map(({ name }) => name)).toEqual([expect.stringMatching(/^inc\./), newest]);
    expect(newest).toMatch(/^full\./);
    expect((await check(bench)).head.ledgers).toHaveLength(2);
  });

  it("begins a chain when asked though the old one cannot be ended", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    await bench.publish();
    replaceDuplicity(['[ "$1" = full ] || exit 1', 'exec duplicity "$@"']);
    const { sets, newest } = await bench.publish({ full: true });
    expect(sets.map(({ name }) => name)).toEqual([newest]);
    expect(bench.runtime.events).toContain("chain.unended");
  });

  it("deletes chains that are kept no longer once a new one is published", async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree, repository } = bench.config;
    const paths = makeTree(tree, { files: 30 });
    const fullSets = (): string[] =>
      readdirSync(repository)
        .filter((name) => /^duplicity-full\..*manifest$/.test(name))
        .toSorted();
    const publishChain = async (step: number): Promise<void> => {
      await bench.publish({ full: true });
      liveOneStep(tree, paths, step);
      await bench.publish();
    };
    await publishChain(1);
    const [first] = fullSets();
    await publishChain(2);
    expect(fullSets()).toHaveLength(2);
    await publishChain(3);
    const { sets } = await check(bench);
    expect(sets).toHaveLength(5);
    expect(fullSets()).toHaveLength(2);
    expect(fullSets()).not.toContain(first);
    const status = masterStatus(bench.config);
    expect(status).toMatchObject({ head: { chainCount: 2 }, withheld: [], waiting: [] });
    expect(status.lastCycle?.error).toBeUndefined();
    const before = readHead(bench.config.publication);
    liveOneStep(tree, paths, 4);
    expect((await bench.publish()).newest).toMatch(/^inc\./);
    expect((await check(bench)).sets).toHaveLength(6);
    expect(readHead(bench.config.publication).session).toBe(before.session);
  });

  it("deletes no chain while the newest one is withheld, nor more than it shall", async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree, repository } = bench.config;
    makeTree(tree, { files: 3 });
    const chainCount = (): number =>
      readdirSync(repository).filter((name) => /^duplicity-full\..*manifest$/.test(name)).length;
    await bench.publish();
    await bench.publish({ full: true });
    const restore = countErrors();
    await bench.publish({ full: true });
    expect(chainCount()).toBe(3);
    restore();
    const { duplicity } = bench.config;
    const generous = { ...bench.config, duplicity: { ...duplicity, keepChains: 3 } };
    await bench.publish({ full: true, config: generous });
    expect(chainCount()).toBe(3);
  });

  it("never writes a full set over one of the same second", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    const names = [await bench.publish(), await bench.publish({ full: true })].map(
      ({ newest }) => newest,
    );
    expect(new Set(names).size).toBe(2);
    bench.runtime.offsetMs = -3_600_000;
    await expect(bench.publish()).rejects.toMatchObject({ code: "REPOSITORY_INVALID" });
  });

  it("leaves our own folder out of the backup", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    mkdirSync(path.join(bench.config.tree, ".dupmirror/stage"), { recursive: true });
    await bench.publish();
    expect(readManifests(bench.config.repository)).not.toContain(".dupmirror");
  });

  it.each([
    ["TREE_MISSING", (tree: string) => rmSync(tree, { recursive: true })],
    ["TREE_EMPTY", (tree: string) => emptyFolder(tree)],
    ["TREE_SHRUNK", (tree: string) => rmSync(path.join(tree, "part-0"), { recursive: true })],
  ])("backs up nothing and publishes nothing: %s", async (code, damage) => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 80 });
    await bench.publish();
    const before = readdirSync(bench.config.repository);
    damage(bench.config.tree);
    await expect(bench.publish()).rejects.toMatchObject({ code });
    expect(readdirSync(bench.config.repository)).toEqual(before);
    expect(readHead(bench.config.publication).generation).toBe(1);
  });

  it.each([
    ["TREE_MISSING", (bench: Bench) => rmSync(bench.config.tree, { recursive: true })],
    ["PROGRAM_FAILED", () => void replaceDuplicity(["echo 'the disk is on fire' >&2", "exit 1"])],
  ])(
    "refreshes a head that grows old though nothing can be backed up: %s",
    async (code, damage) => {
      const bench = makeBench(fastTemporaryFolder(), { headLifetimeMs: 60_000 });
      makeTree(bench.config.tree, { files: 3 });
      const { newest } = await bench.publish();
      const before = readHead(bench.config.publication);
      damage(bench);
      await expect(bench.publish()).rejects.toMatchObject({ code });
      expect(readHead(bench.config.publication)).toEqual(before);
      bench.runtime.offsetMs = 31_000;
      await expect(bench.publish()).rejects.toMatchObject({ code });
      const after = readHead(bench.config.publication);
      expect(after).toMatchObject({
        generation: 2,
        newest: before.newest,
        ledgers: before.ledgers,
      });
      expect(after.expiresAt).toBeGreaterThan(before.expiresAt);
      expect(masterStatus(bench.config)).toMatchObject({ head: { newest } });
      expect(masterStatus(bench.config).lastCycle?.error).toContain(code);
    },
  );

  it("backs up nothing while the marker is not there", async () => {
    const guard = { marker: "mounted", maxShrinkPercent: 50 };
    const bench = makeBench(fastTemporaryFolder(), { guard });
    makeTree(bench.config.tree, { files: 3 });
    await expect(bench.publish()).rejects.toMatchObject({ code: "TREE_MISSING" });
    expect(readdirSync(bench.config.repository)).toEqual([]);
    writeFileSync(path.join(bench.config.tree, "mounted"), "");
    expect((await bench.publish()).generation).toBe(1);
  });

  it("withholds a set whose backup had errors until a later one has none", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    await bench.publish();
    const restore = countErrors();
    writeTimed(bench.config.tree, "second", "2", timeOfStep(1));
    const report = await bench.publish();
    expect(report).toMatchObject({ published: "nothing", generation: 1, sets: [] });
    expect(report.withheld).toHaveLength(1);
    expect(bench.runtime.events).toContain("backup.errors");
    restore();
    writeTimed(bench.config.tree, "third", "3", timeOfStep(2));
    expect(await bench.publish()).toMatchObject({ generation: 2, withheld: [] });
    const { lineage, withheld } = await check(bench);
    expect(lineage).toHaveLength(3);
    expect(withheld).toEqual(report.withheld);
  });

  it("withholds a set whose run nobody saw the end of", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    await bench.publish();
    // As after kill -9 between duplicity's last write and our record of it.
    const { stateDirectory, publication } = bench.config;
    writeTimed(bench.config.tree, "second", "2", timeOfStep(1));
    const kept = path.join(stateDirectory, "..", "kept");
    const newest = readHead(publication).newest.set.time;
    await publishElsewhere(bench, kept);
    writeFileSync(path.join(stateDirectory, "withheld"), `run ${newest}\n`);
    const guarded = { ...bench.config, guard: { marker: "absent", maxShrinkPercent: 50 } };
    await expect(bench.publish({ config: guarded })).rejects.toMatchObject({
      code: "TREE_MISSING",
    });
    expect(readWithheld(stateDirectory)).toMatchObject({ runSince: undefined });
    expect(readWithheld(stateDirectory).sets.size).toBe(1);
    expect(readHead(publication).generation).toBe(1);
    await bench.publish();
    expect((await check(bench)).lineage).toHaveLength(3);
  });

  it("cleans up after an interrupted backup, and does not resume it", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    await bench.publish();
    const archive = path.join(bench.config.stateDirectory, "archive/dupmirror");
    const [manifest = ""] = readdirSync(archive).filter((name) => name.endsWith(".manifest"));
    const part = path.join(archive, "duplicity-full.20201121T092218Z.manifest.part");
    writeFileSync(part, readFileSync(path.join(archive, manifest)));
    writeTimed(bench.config.tree, "second", "2", timeOfStep(1));
    const report = await bench.publish();
    expect(bench.runtime.events).toContain("backup.leftover");
    expect(existsSync(part)).toBe(false);
    expect(report.newest).toMatch(/^inc\./);
  });

  it("lets nobody in while a cycle runs", async () => {
    const bench = makeBench(fastTemporaryFolder());
    makeTree(bench.config.tree, { files: 3 });
    const first = bench.publish();
    const results = await Promise.allSettled([first, bench.publish()]);
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused.map((result): unknown => result.reason)).toMatchObject([{ code: "LOCKED" }]);
    expect(readHead(bench.config.publication).generation).toBe(1);
  });

  /** Backs up with a duplicity whose set we do not publish: publication and records stay as they were. */
  async function publishElsewhere(bench: Bench, kept: string): Promise<void> {
    renameSync(bench.config.publication, kept);
    await bench.publish();
    rmSync(bench.config.publication, { recursive: true });
    renameSync(kept, bench.config.publication);
  }
});

function readManifests(repository: string): string {
  const names = readdirSync(repository).filter((name) => name.endsWith(".manifest"));
  return names.map((name) => readFileSync(path.join(repository, name), "latin1")).join("");
}

function emptyFolder(folder: string): void {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
}

/** Makes duplicity say that it met an error. The function undoes it. */
function countErrors(): () => void {
  return replaceDuplicity([
    "set -o pipefail",
    "{ duplicity \"$@\" 3>&1 >&4 | sed -u 's/^\\. Errors 0.*/. Errors 1/' >&3; } 4>&1",
  ]);
}

/** Puts a script first on the PATH that `duplicity` then means; the script itself finds the real one. */
function replaceDuplicity(lines: readonly string[]): () => void {
  const folder = fastTemporaryFolder();
  const script = path.join(folder, "duplicity");
  const before = process.env["PATH"] ?? "";
  const all = ["#!/bin/bash", `export PATH='${before}'`, ...lines];
  writeFileSync(script, `${all.join("\n")}\n`);
  chmodSync(script, 0o755);
  process.env["PATH"] = `${folder}:${before}`;
  const restore = (): void => {
    process.env["PATH"] = before;
  };
  onTestFinished(restore);
  return restore;
}
