import path from "node:path";
import { expect, test } from "vitest";
import { startDupmirror } from "../support/cli.js";
import { syncInProcess } from "../support/in-process.js";
import { killAfter } from "../support/killing.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { copyTree, liveOneStep, makeTree } from "../support/trees.js";
import { generationOf, makeMaster, makeReplica, publish, sync } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const KILLS = process.env["SLOW"] === undefined ? 8 : 50;

describeWithDuplicity("a master killed with SIGKILL at random moments of a publish", () => {
  test(`never publishes half a set, and the next run publishes all of it, ${KILLS} times`, async () => {
    const random = new Random();
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const before = path.join(folder, "before");
    const files = makeTree(tree, { files: 300 });
    const master = await makeMaster(folder, { tree });
    const startedAt = performance.now();
    await publish(master);
    const wholeMs = performance.now() - startedAt;
    const follower = makeReplica(path.join(folder, "follower"), master);
    await sync(follower);
    let killed = 0;
    for (let run = 1; run <= KILLS; run++) {
      const said = `run ${run} (SEED=${random.seed})`;
      const generation = generationOf(master.publication);
      removeFolder(before);
      await copyTree(tree, before);
      liveOneStep(tree, files, run);
      const command = startDupmirror(["master", "publish", "-c", master.configFile]);
      const end = await killAfter(command, random.between(0, wholeMs * 1.1));
      killed += Number(end.signal === "SIGKILL");

      const reader = makeReplica(path.join(folder, `reader-${run}`), master);
      expect(await syncInProcess(reader), said).toEqual({ kind: "synced" });
      const published = generationOf(master.publication) === generation ? before : tree;
      expect(compareTrees(published, reader.tree), said).toEqual([]);
      removeFolder(path.dirname(reader.configFile));

      await publish(master);
      await sync(follower);
      expect(compareTrees(tree, follower.tree), said).toEqual([]);
    }
    expect(killed).toBeGreaterThan(KILLS / 4);
  });
});
