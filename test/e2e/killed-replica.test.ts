import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDupmirror } from "../support/cli.js";
import { syncInProcess } from "../support/in-process.js";
import { killAfter } from "../support/killing.js";
import { Random } from "../support/random.js";
import { fastLastingFolder, removeFolder } from "../support/temporary.js";
import { compareLists, listTree } from "../support/tree-compare.js";
import { copyTree, liveOneStep, makeTree } from "../support/trees.js";
import { readFiles, watchTree } from "../support/watchful-reader.js";
import {
  copyPublication,
  type Master,
  makeMaster,
  makeReplica,
  pointReplica,
  publish,
  type Replica,
  sync,
} from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const KILLS = process.env["SLOW"] === undefined ? 20 : 200;

describeWithDuplicity("a replica killed with SIGKILL at random moments of a follow", () => {
  let folder: string;
  let tree: string;
  let before: string;
  let master: Master;
  let older: string;

  beforeAll(async () => {
    folder = fastLastingFolder();
    tree = path.join(folder, "tree");
    before = path.join(folder, "before");
    const files = makeTree(tree, { files: 1500 });
    master = await makeMaster(folder, { tree });
    liveOneStep(tree, files, 1);
    await publish(master);
    older = copyPublication(master, path.join(folder, "older"));
    await copyTree(tree, before);
    for (const step of [2, 3, 4]) {
      liveOneStep(tree, files, step);
      await publish(master);
    }
  });

  afterAll(() => removeFolder(folder));

  const replicaBehind = async (at: string): Promise<Replica> => {
    const replica = makeReplica(at, { sources: [older], keyFile: master.keyFile });
    expect(await syncInProcess(replica)).toEqual({ kind: "synced" });
    pointReplica(replica, master);
    return replica;
  };

  const follow = (replica: Replica) =>
    startDupmirror(["replica", "sync", "-c", replica.configFile]);

  test(`ends in the right tree with the next run, and readers see whole files, ${KILLS} times`, async () => {
    const random = new Random();
    const whole = await replicaBehind(path.join(folder, "whole"));
    const startedAt = performance.now();
    await follow(whole).ended;
    const wholeMs = performance.now() - startedAt;
    const versions = { older: readFiles(before), newer: readFiles(tree) };
    const expected = listTree(tree);
    let killed = 0;
    for (let run = 0; run < KILLS; run++) {
      const said = `run ${run} (SEED=${random.seed})`;
      const replica = await replicaBehind(path.join(folder, `run-${run}`));
      const reader = watchTree(replica.tree, versions);
      for (let again = 0; again <= run % 2; again++) {
        const end = await killAfter(follow(replica), random.between(wholeMs / 4, wholeMs * 1.1));
        killed += Number(end.signal === "SIGKILL");
      }
      await sync(replica);
      expect(await reader.stop(), said).toEqual([]);
      expect(reader.filesRead(), said).toBeGreaterThan(0);
      expect(compareLists(expected, listTree(replica.tree)), said).toEqual([]);
      removeFolder(path.dirname(replica.configFile));
    }
    expect(killed).toBeGreaterThan(KILLS / 4);
  });
});
