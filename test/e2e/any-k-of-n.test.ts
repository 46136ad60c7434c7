import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dupmirror } from "../support/cli.js";
import { syncInProcess } from "../support/in-process.js";
import { combinations, Random, sample } from "../support/random.js";
import { fastLastingFolder, fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { compareTrees, fingerprintTree } from "../support/tree-compare.js";
import { liveOneStep, makeTree } from "../support/trees.js";
import {
  type Master,
  makeMaster,
  makeReplica,
  publish,
  type Replica,
  removeHosts,
  sync,
} from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

/** All sets of hosts are tried up to this many, else this many of them. */
const MOST_SETS = 100;

const SHAPES = [
  { k: 2, n: 3 },
  { k: 4, n: 6 },
  { k: 8, n: 12 },
] as const;

describeWithDuplicity.each(SHAPES)("of $n hosts, $k are needed", ({ k, n }) => {
  let folder: string;
  let tree: string;
  let master: Master;
  /** A replica that has the state before the last. */
  let behind: Replica;

  beforeAll(async () => {
    folder = fastLastingFolder();
    tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 150 });
    master = await makeMaster(folder, { tree, k, n, withHosts: true });
    liveOneStep(tree, files, 1);
    await publish(master);
    behind = makeReplica(path.join(folder, "behind"), master);
    await sync(behind);
    liveOneStep(tree, files, 2);
    await publish(master);
  });

  afterAll(() => removeFolder(folder));

  test("any k of them give the right tree", async () => {
    const random = new Random();
    for (const gone of sample(combinations(n, n - k), MOST_SETS, random)) {
      const said = `without hosts ${gone.join(", ")} (SEED=${random.seed})`;
      const putBack = removeHosts(gone.flatMap((share) => master.hosts[share] ?? []));
      const replica = makeReplica(fastTemporaryFolder(), master);
      const outcome = await syncInProcess(replica);
      putBack();
      expect(outcome, said).toEqual({ kind: "synced" });
      expect(compareTrees(tree, replica.tree), said).toEqual([]);
      removeFolder(path.dirname(replica.tree));
    }
  });

  test("with one host fewer a replica says what is missing and keeps its tree", async () => {
    const random = new Random();
    const before = fingerprintTree(behind.tree);
    const gone = random.pick(combinations(n, n - k + 1));
    const putBack = removeHosts(gone.flatMap((share) => master.hosts[share] ?? []));
    const result = await dupmirror(["replica", "sync", "-c", behind.configFile]);
    putBack();
    const lastLine = result.stderr.trimEnd().split("\n").at(-1);
    expect(result.exitCode, result.stderr).toBe(4);
    expect(lastLine).toMatch(`${k - 1} good shares, ${k} needed`);
    for (const share of gone) {
      expect(lastLine, `SEED=${random.seed}`).toMatch(
        new RegExp(`\\bshare ${share}\\b.*\\bhost-${share}\\b`),
      );
    }
    expect(fingerprintTree(behind.tree)).toBe(before);
  });
});
