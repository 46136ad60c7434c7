import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { dupmirror, dupmirrorWorks, parseSyncReport } from "../support/cli.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees, fingerprintTree } from "../support/tree-compare.js";
import { liveOneStep, makeTree, writeTimed } from "../support/trees.js";
import {
  copyPublication,
  fileUrl,
  makeMaster,
  makeReplica,
  pointReplica,
  publish,
  sync,
} from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

describeWithDuplicity("a master that runs duplicity itself", () => {
  test("is followed through increments and into a new chain", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 400 });
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    expect((await sync(replica)).strategy).toBe("fresh");
    for (const step of [1, 2, 3, 4]) {
      liveOneStep(tree, files, step);
      await publish(master);
      expect((await sync(replica)).strategy, `step ${step}`).toBe("follow");
      expect(compareTrees(tree, replica.tree), `step ${step}`).toEqual([]);
    }
    liveOneStep(tree, files, 5);
    await publish(master, "--full");
    expect((await sync(replica)).strategy).toBe("rebase");
    expect(compareTrees(tree, replica.tree)).toEqual([]);
    liveOneStep(tree, files, 6);
    await publish(master);
    expect((await sync(replica)).strategy).toBe("follow");
    expect(compareTrees(tree, replica.tree)).toEqual([]);
  });

  test("and its replica work with the configurations that init writes", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const mirror = path.join(folder, "mirror");
    makeTree(tree, { files: 30 });
    const [masterFolder, replicaFolder] = [
      path.join(folder, "master"),
      path.join(folder, "replica"),
    ];
    await dupmirrorWorks(["init", "master", "--tree", tree, "--dir", masterFolder]);
    const masterFile = path.join(masterFolder, "master.yaml");
    await dupmirrorWorks(["master", "publish", "-c", masterFile]);
    const source = fileUrl(path.join(masterFolder, "publication"));
    const keyFile = path.join(masterFolder, "pub.pub");
    const words = ["--tree", mirror, "--dir", replicaFolder, "--source", source, "--key", keyFile];
    await dupmirrorWorks(["init", "replica", ...words]);
    const replicaFile = path.join(replicaFolder, "replica.yaml");
    await dupmirrorWorks(["config", "check", replicaFile]);
    const report = parseSyncReport(
      await dupmirrorWorks(["replica", "sync", "--json", "-c", replicaFile]),
    );
    expect(report.strategy).toBe("fresh");
    expect(compareTrees(tree, mirror)).toEqual([]);
  });

  test("is told of by a report with positions, files, bytes and requests", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    makeTree(tree, { files: 40 });
    const log = "a line of a log that grows\n".repeat(100);
    writeTimed(tree, "log", log, 1_600_000_000);
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    const first = await sync(replica);
    writeTimed(tree, "log", `${log}and grows`, 1_600_001_000);
    writeTimed(tree, "part-0/folder-0/file-1.c", "rewritten", 1_600_001_000);
    writeTimed(tree, "part-0/folder-0/more", "added", 1_600_001_000);
    rmSync(path.join(tree, "part-0/folder-0/file-2.c"));
    await publish(master);
    const second = await sync(replica);
    expect(first.positionBefore).toBe(undefined);
    expect(first.files).toMatchObject({ written: 41, patched: 0, deleted: 0 });
    expect(second.positionBefore).toEqual(first.positionAfter);
    expect(second.positionAfter?.set).toMatch(/^inc\.\w+\.to\.\w+$/);
    expect(second.files).toMatchObject({ written: 2, patched: 1, deleted: 1 });
    expect(second.bytes["total"]).toBe(second.sources.reduce((sum, one) => sum + one.bytes, 0));
    expect(second.requests["total"]).toBe(
      second.sources.reduce((sum, one) => sum + one.requests, 0),
    );
    expect(await sync(replica)).toMatchObject({
      strategy: "none",
      positionBefore: second.positionAfter,
      positionAfter: second.positionAfter,
    });
  });

  test("tells of a file that duplicity missed, until its replicas can have it", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const file = path.join(tree, "file");
    const master = await makeMaster(folder, { tree });
    const words = ["master", "publish", "-c", master.configFile];
    writeFileSync(file, "first");
    await publish(master);
    const { mtime } = statSync(file);
    writeFileSync(file, "other");
    utimesSync(file, mtime, mtime);
    const { stdout } = await dupmirrorWorks([...words, "--json"]);
    expect(stdout).toMatch(/"missed":\[\{"path":"file","set":"full\.\w+"\}\]/);
    const advice = /file: missed by full\.\w+: .* touch it, or publish with --full/;
    expect((await dupmirrorWorks(words)).stdout).toMatch(advice);
    const status = await dupmirrorWorks(["master", "status", "-c", master.configFile]);
    expect(status.stdout).toMatch(advice);
    const replica = makeReplica(path.join(folder, "replica"), master);
    await sync(replica);
    expect(compareTrees(tree, replica.tree)).not.toEqual([]);
    utimesSync(file, new Date(), new Date());
    expect((await dupmirrorWorks([...words, "--json"])).stdout).toContain('"missed":[]');
    await sync(replica);
    expect(compareTrees(tree, replica.tree)).toEqual([]);
  });

  test("a dry run tells the strategy and changes nothing", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 100 });
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    await sync(replica);
    liveOneStep(tree, files, 1);
    await publish(master);
    const untouched = fingerprintTree(replica.tree);
    const words = ["replica", "sync", "-n", "--json", "-c", replica.configFile];
    expect(parseSyncReport(await dupmirrorWorks(words)).strategy).toBe("follow");
    expect(fingerprintTree(replica.tree)).toBe(untouched);
  });

  test("deletes beyond the guard stop a replica with its tree as it was", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 100 });
    const master = await makeMaster(folder, { tree });
    liveOneStep(tree, files, 1);
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    await sync(replica);
    liveOneStep(tree, files, 2);
    await publish(master);
    pointReplica(replica, { ...master, more: { delete: { maxPercent: 100, maxFiles: 3 } } });
    const untouched = fingerprintTree(replica.tree);
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    expect(result).toMatchObject({
      exitCode: 6,
      stderr: expect.stringMatching(/delete/) as string,
    });
    expect(fingerprintTree(replica.tree)).toBe(untouched);
  });

  test("an older head than the one already seen is refused", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 50 });
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const older = copyPublication(master, path.join(folder, "older"));
    liveOneStep(tree, files, 1);
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    await sync(replica);
    pointReplica(replica, { sources: [older], keyFile: master.keyFile });
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    expect(result).toMatchObject({
      exitCode: 5,
      stderr: expect.stringMatching(/generation/) as string,
    });
    expect(compareTrees(tree, replica.tree)).toEqual([]);
  });
});
