import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { ReplicaMirror } from "../../src/config/replica.js";
import { ScheduledVerify } from "../../src/replica/scheduled-verify.js";
import { stateFiles } from "../../src/replica/state-files.js";
import { replicaStatus } from "../../src/replica/status.js";
import { Rests } from "../../src/store/resting-source.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import { changed, file, folder, type Model, type ModelObject, model } from "./support/model.js";
import { publishHistory } from "./support/publication.js";

vi.mock("../../src/programs/sync.js", () => ({ syncFileSystem: () => Promise.resolve() }));

/** More than two batches of a comparison. */
const TREE = numbered(1500);
const LONG_MS = 60_000;
const NEVER = new AbortController().signal;

describe("a verification on a schedule", () => {
  test("mends what it finds, and says so in log and status", async () => {
    const { replica } = await synced([TREE]);
    for (let at = 0; at < 30; at++) rmSync(`${replica.tree}/d/${name(at)}`);
    const verify = scheduled(replica);
    expect(verify.isDue).toBe(false);
    verify.request();
    expect(await verify.slice(LONG_MS, NEVER)).toBe(false);
    expect(verify.isDue).toBe(false);
    expect(replica.faults(TREE)).toEqual([]);
    expect(events(replica, "verify.finding")).toHaveLength(20);
    expect(events(replica, "verify.mended")).toMatchObject([{ damaged: 31, written: 30 }]);
    expect(replicaStatus(replica.config, replica.runtime.clock)).toMatchObject({
      verify: undefined,
      lastVerify: { outcome: { kind: "done", damaged: 31, isRight: true, entries: TREE.size } },
    });
  });

  test("only tells when it is not to mend", async () => {
    const { replica } = await synced([TREE]);
    rmSync(`${replica.tree}/d/${name(7)}`);
    const verify = scheduled(replica, { repair: false });
    verify.request();
    await verify.slice(LONG_MS, NEVER);
    expect(existsSync(`${replica.tree}/d/${name(7)}`)).toBe(false);
    expect(events(replica, "verify.damaged")).toMatchObject([{ damaged: 2 }]);
    expect(replicaStatus(replica.config, replica.runtime.clock).lastVerify).toMatchObject({
      outcome: { isRight: false },
    });
  });

  test("goes on from slice to slice, while cycles bring the tree to other sets", async () => {
    const trees = [TREE, ...[1, 2, 3, 4, 5].map((at) => changed(TREE, news(at)))];
    const { publication, replica } = await published(trees);
    publication.showHead(0);
    await replica.sync();
    rmSync(`${replica.tree}/d/${name(1)}`);
    rmSync(`${replica.tree}/d/${name(1450)}`);
    const verify = scheduled(replica);
    verify.request();
    let slices = 0;
    for (; verify.isDue && slices < SLICES_MAX; slices++) {
      const goesOn = await verify.slice(0, NEVER);
      const before = replicaStatus(replica.config, replica.runtime.clock).verify;
      publication.showHead(Math.min(slices, trees.length - 1));
      await replica.sync();
      expect(replicaStatus(replica.config, replica.runtime.clock).verify).toEqual(before);
      if (!goesOn) break;
    }
    expect(verify.isDue).toBe(false);
    expect(slices).toBeGreaterThan(1);
    publication.showHead(trees.length - 1);
    await replica.sync();
    expect(replica.faults(trees.at(-1) ?? TREE)).toEqual([]);
    expect(events(replica, "verify.mended")).toMatchObject([{ damaged: 3 }]);
  });

  test("is gone on with by the next process", async () => {
    const { replica } = await synced([TREE]);
    const first = scheduled(replica);
    // Before it is stopped a slice may have come to the end of it all: then there is nothing to go on with.
    do {
      rmSync(`${replica.tree}/d/${name(3)}`);
      first.request();
      while (entriesSoFar(replica) === 0 && (await first.slice(0, NEVER)));
    } while (entriesSoFar(replica) === 0);
    await first.end();
    const { startedAt, entries } =
      replicaStatus(replica.config, replica.runtime.clock).verify ?? {};
    expect(entries).toBeGreaterThan(0);
    expect(startedAt).toBe(new Date(replica.runtime.now).toISOString());

    const second = scheduled(replica);
    expect(second.isDue).toBe(true);
    await second.slice(LONG_MS, NEVER);
    expect(events(replica, "verify.mended").at(-1)).toMatchObject({ entries: TREE.size });
    expect(replica.faults(TREE)).toEqual([]);
  });

  test("tries again where another time helps, and else leaves it to the schedule", async () => {
    const { publication, replica } = await synced([TREE]);
    for (let at = 0; at < 5; at++) writeFileSync(`${replica.tree}/extra-${at}`, "");
    const verify = scheduled(replica, {}, { maxPercent: 100, maxFiles: 4, protect: [] });
    verify.request();
    renameSync(publication.folder, `${publication.folder}.gone`);
    expect(await verify.slice(LONG_MS, NEVER)).toBe(false);
    expect(verify.isDue).toBe(true);
    renameSync(`${publication.folder}.gone`, publication.folder);
    expect(await verify.slice(LONG_MS, NEVER)).toBe(false);
    expect(verify.isDue).toBe(false);
    expect(events(replica, "verify.failed")).toMatchObject([
      { code: "NO_SOURCE" },
      { code: "DELETE_GUARD" },
    ]);
    expect(existsSync(stateFiles(replica.state).verify)).toBe(false);
    expect(replicaStatus(replica.config, replica.runtime.clock).lastVerify).toMatchObject({
      outcome: { kind: "failed", code: "DELETE_GUARD" },
    });
  });
});

const SLICES_MAX = 5000;

function numbered(count: number): Model {
  const objects: Record<string, ModelObject> = { d: folder(77) };
  for (let at = 0; at < count; at++) objects[`d/${name(at)}`] = file(name(at), at);
  return model(objects);
}

function name(number: number): string {
  return String(number).padStart(4, "0");
}

function news(at: number) {
  return { [`d/${name(at * 200)}`]: file(`news ${at}`, 5000 + at), [`d/${name(at)}x`]: file("x") };
}

async function published(trees: readonly Model[]) {
  const place = fastTemporaryFolder();
  const publication = await publishHistory(`${place}/publication`, trees);
  return { publication, replica: new TestReplica(`${place}/replica`, [publication]) };
}

async function synced(trees: readonly Model[]) {
  const made = await published(trees);
  await made.replica.sync();
  return made;
}

/** In the test's own thread, with a schedule that names no time of the test. */
function scheduled(
  replica: TestReplica,
  verify: Partial<ReplicaMirror["verify"]> = {},
  deleting = replica.config.delete,
): ScheduledVerify {
  const { config, runtime } = replica;
  const schedule = { schedule: "0 0 29 2 *", repair: true, ...verify };
  const mirror = { ...config, verify: schedule, delete: deleting };
  const stop = new AbortController();
  const made = new ScheduledVerify({
    mirror,
    runtime,
    isIdle: false,
    rests: new Rests(),
    signal: stop.signal,
  });
  onTestFinished(async () => {
    stop.abort();
    await made.end();
  });
  made.start();
  return made;
}

function entriesSoFar({ config, runtime }: TestReplica): number {
  return replicaStatus(config, runtime.clock).verify?.entries ?? 0;
}

function events({ runtime }: TestReplica, event: string) {
  return runtime.logged.filter((line) => line.event === event).map(({ fields }) => fields);
}
