/** Files that changed without a new time, which duplicity does not see. */
import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { SUSPECTS_MAX } from "../../src/limits.js";
import { masterStatus } from "../../src/master/status.js";
import { Suspects } from "../../src/master/suspects.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { writeTimed } from "../support/trees.js";
import { type Bench, makeBench } from "./support/master-bench.js";
import { backUpTo, FIRST_SET_TIME, NO_DUPLICITY } from "./support/repositories.js";

describe.skipIf(NO_DUPLICITY)(`a file that duplicity missed ${NO_DUPLICITY ?? ""}`, () => {
  it("is reported by every cycle until it is touched", async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree } = bench.config;
    writeTimed(tree, "old", "never suspected", 1_600_000_000);
    const set = await publishTwoVersions(bench);
    const missed = [{ path: "fresh", set }];
    expect(await bench.publish()).toMatchObject({ missed });
    expect(await bench.publish()).toMatchObject({ missed });
    expect(bench.runtime.events.filter((event) => event === "file.missed")).toHaveLength(2);
    expect(masterStatus(bench.config)).toMatchObject({ missed, lastCycle: { error: undefined } });
    utimesSync(path.join(tree, "fresh"), new Date(), new Date());
    expect(await bench.publish()).toMatchObject({ missed: [] });
    expect(masterStatus(bench.config).missed).toEqual([]);
  });

  it("is reported no longer once it is as it was, or a full set has it", async () => {
    const bench = makeBench(fastTemporaryFolder());
    await publishTwoVersions(bench);
    expect((await bench.publish()).missed).toHaveLength(1);
    writeUnseen(bench, "first");
    expect((await bench.publish()).missed).toEqual([]);
    expect(suspectsOf(bench)).toEqual(["fresh"]);
    // What is written later has another time, unless somebody gives it back the old one.
    bench.runtime.offsetMs = 60_000;
    await bench.publish();
    expect(suspectsOf(bench)).toEqual([]);
    bench.runtime.offsetMs = 0;
    await publishTwoVersions(bench);
    expect((await bench.publish()).missed).toHaveLength(1);
    expect((await bench.publish({ full: true })).missed).toEqual([]);
  });

  it("is told of while cycles fail, and while the tree is away", async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree } = bench.config;
    await publishTwoVersions(bench);
    expect((await bench.publish()).missed).toHaveLength(1);
    renameSync(tree, `${tree}.away`);
    await expect(bench.publish()).rejects.toMatchObject({ code: "TREE_MISSING" });
    expect(masterStatus(bench.config).missed).toHaveLength(1);
    renameSync(`${tree}.away`, tree);
    expect((await bench.publish()).missed).toHaveLength(1);
  });

  it("is found by its size alone, but not what duplicity will see", async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree } = bench.config;
    for (const name of ["longer", "gone", "touched", "replaced"]) writeFresh(bench, name, "first");
    await bench.publish();
    writeUnseen(bench, "much longer", "longer");
    rmSync(path.join(tree, "gone"));
    utimesSync(path.join(tree, "touched"), 1_600_000_000, 1_600_000_000);
    rmSync(path.join(tree, "replaced"));
    mkdirSync(path.join(tree, "replaced"));
    const { missed } = await bench.publish();
    expect(missed.map((one) => one.path)).toEqual(["longer"]);
  });

  it("is found by who publishes the repository of others and has the tree", async () => {
    const folder = fastTemporaryFolder();
    const { duplicity } = makeBench(folder).config;
    const bench = makeBench(folder, { duplicity: { ...duplicity, engine: "external" } });
    const { tree } = bench.config;
    for (const name of ["caught", "elsewhere"]) {
      writeTimed(tree, name, "first", FIRST_SET_TIME);
    }
    writeTimed(tree, "before", "first", FIRST_SET_TIME - 60);
    backUpTo({ folder, time: FIRST_SET_TIME });
    for (const name of ["caught", "before"]) {
      const { mtime } = statSync(path.join(tree, name));
      writeTimed(tree, name, "other", mtime.getTime() / 1000);
    }
    rmSync(path.join(tree, "elsewhere"));
    const set = "full.20231114T221320Z";
    expect(await bench.publish()).toMatchObject({ missed: [] });
    expect(await bench.publish()).toMatchObject({ missed: [{ path: "caught", set }] });
    chmodSync(path.join(tree, "caught"), 0o600);
    backUpTo({ folder, time: FIRST_SET_TIME + 60 });
    expect((await bench.publish()).missed).toEqual([]);
    rmSync(tree, { recursive: true });
    expect((await bench.publish()).missed).toEqual([]);
  });

  it("is found when the backup read it half-changed", async () => {
    const folder = fastTemporaryFolder();
    const { duplicity } = makeBench(folder).config;
    const bench = makeBench(folder, { duplicity: { ...duplicity, engine: "external" } });
    const half = `${"new ".repeat(50_000)}${"old ".repeat(50_000)}`;
    writeTimed(bench.config.tree, "large", half, FIRST_SET_TIME + 5);
    backUpTo({ folder, time: FIRST_SET_TIME });
    writeTimed(bench.config.tree, "large", "new ".repeat(100_000), FIRST_SET_TIME + 5);
    await bench.publish();
    expect((await bench.publish()).missed).toHaveLength(1);
  });
});

describe("the list of suspects", () => {
  const signature = { blockLength: 512, digest: Buffer.alloc(8, 3) };
  const attributes = { mode: 0o644, uid: 0, gid: 0, userName: "", groupName: "" };
  const entry = (name: string, mtime: number) =>
    ({
      kind: "snapshot",
      path: toTreePath(name),
      attributes: { ...attributes, mtime },
      sizeBytes: 1,
      data: [],
      signature,
    }) as const;

  it("is bounded: the youngest files stay, and it says how many do not", () => {
    const folder = fastTemporaryFolder();
    const { log, events } = makeBench(folder).runtime;
    const suspects = Suspects.open(folder, log);
    const notes = suspects.notesOf({ kind: "full", time: 1000 });
    for (let at = 0; at < 3 * SUSPECTS_MAX; at++) notes.note(entry(`file ${at}`, 1000 + at));
    notes.adopt();
    suspects.save();
    const kept = Suspects.open(folder, log).all;
    expect(kept).toHaveLength(SUSPECTS_MAX);
    expect(Math.min(...kept.map(({ mtime }) => mtime))).toBe(1000 + 2 * SUSPECTS_MAX);
    expect(events).toContain("suspects.dropped");
  });

  it("counts a set only once it is adopted, and forgets what a later one records", () => {
    const folder = fastTemporaryFolder();
    const { log } = makeBench(folder).runtime;
    const suspects = Suspects.open(folder, log);
    const first = suspects.notesOf({ kind: "full", time: 1000 });
    for (const name of ["a", "b\xff", "c"]) first.note(entry(name, 1000));
    expect(suspects.all).toEqual([]);
    first.adopt();
    const next = suspects.notesOf({ kind: "increment", from: 1000, time: 2000 });
    next.note({ kind: "deleted", path: toTreePath("a") });
    next.note(entry("b\xff", 2000));
    next.adopt();
    suspects.save();
    const kept = Suspects.open(folder, log).all.map(({ path: file, mtime }) => [file, mtime]);
    expect(kept).toEqual([
      ["c", 1000],
      ["b\xff", 2000],
    ]);
  });

  it("that is damaged is begun anew", () => {
    const folder = fastTemporaryFolder();
    const { log, events } = makeBench(folder).runtime;
    writeFileSync(path.join(folder, "suspects"), '{"version":1,"suspects":[{}');
    expect(Suspects.open(folder, log).all).toEqual([]);
    expect(events).toEqual(["suspects.unreadable"]);
  });
});

function writeFresh({ config }: Bench, name: string, content: string): void {
  writeFileSync(path.join(config.tree, name), content);
}

/** Another content under the time that the file has. */
function writeUnseen({ config }: Bench, content: string, name = "fresh"): void {
  const file = path.join(config.tree, name);
  const { mtime } = statSync(file);
  writeFileSync(file, content);
  utimesSync(file, mtime, mtime);
}

/** The newest set then has the first of them. @returns that set */
async function publishTwoVersions(bench: Bench): Promise<string> {
  writeFresh(bench, "fresh", "first");
  const { newest } = await bench.publish();
  writeUnseen(bench, "other");
  return newest ?? "";
}

function suspectsOf({ config, runtime }: Bench): string[] {
  return Suspects.open(config.stateDirectory, runtime.log).all.map((one) => one.path);
}
