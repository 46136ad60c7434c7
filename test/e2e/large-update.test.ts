import {
  appendFileSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { dupmirror } from "../support/cli.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees, fingerprintTree } from "../support/tree-compare.js";
import { makeTree, timeOfStep, writeTimed } from "../support/trees.js";
import { makeMaster, makeReplica, publish, sync } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

/** More objects than the cycle builds in its own thread. */
const FILES = 5000;

describeWithDuplicity("an update of some thousand files", () => {
  test("is built right, follows changes of all of them, and mends what drifted locally", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: FILES });
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    expect((await sync(replica)).files.written).toBe(FILES);
    expect(compareTrees(tree, replica.tree)).toEqual([]);

    for (const file of files)
      changeContent(path.join(tree, file), "one more line\n", timeOfStep(1));
    writeTimed(tree, "large", Buffer.alloc(3 * 1024 * 1024, "large "), timeOfStep(1));
    await publish(master);
    // The delta of a file below a block's size copies nothing from its base: it is as good as a new file.
    const large = files.filter((file) => statSync(path.join(tree, file)).size > 1000).slice(0, 3);
    for (const file of large) writeFileSync(path.join(replica.tree, file), "drifted");
    const report = await sync(replica);
    expect(report.strategy).toBe("follow");
    const { written, patched, mended } = report.files;
    expect({ sum: written + patched, mended }).toEqual({ sum: FILES + 1, mended: 3 });
    expect(patched).toBeGreaterThan(FILES / 3);
    expect(compareTrees(tree, replica.tree)).toEqual([]);
  });

  test("leaves the tree as it was when its blocks are lost half-way", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: FILES, meanSizeBytes: 2000 });
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    await sync(replica);
    const before = fingerprintTree(replica.tree);

    for (const file of files) changeContent(path.join(tree, file), file.repeat(200), timeOfStep(1));
    await publish(master);
    for (const pack of packsBelow(master.publication))
      truncateSync(pack, (statSync(pack).size * 3) / 4);
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    expect(result.exitCode).toBe(4);
    expect(fingerprintTree(replica.tree)).toBe(before);
  });
});

function changeContent(file: string, added: string, time: number): void {
  appendFileSync(file, added);
  utimesSync(file, time, time);
}

/** The packs of volumes, of all shares. */
function packsBelow(folder: string): string[] {
  const found = readdirSync(path.join(folder, "shares"), { recursive: true, encoding: "utf8" });
  return found
    .filter((name) => /\/v\d+$/.test(name))
    .map((name) => path.join(folder, "shares", name));
}
