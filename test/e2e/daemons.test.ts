import { readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type CliResult, type RunningCommand, startDupmirror } from "../support/cli.js";
import { freePort } from "../support/counting-server.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { makeTree, writeTimed } from "../support/trees.js";
import { generationOf, makeMaster, makeReplica, publish } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

describeWithDuplicity("the daemons", () => {
  test("start, follow a change of the tree, mend the replica's, and stop when asked", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    makeTree(tree, { files: 60 });
    const listen = `127.0.0.1:${await freePort()}`;
    const more = { watch: true, http: { listen } };
    const master = await makeMaster(folder, { tree, more });
    const replica = makeReplica(path.join(folder, "replica"), {
      sources: [`http://${listen}/pub`],
      keyFile: master.keyFile,
      more: { poll: { every: "1s", jitter: "10%" }, verify: { schedule: "* * * * * *" } },
    });
    const publisher = startDaemon(["master", "run", "-c", master.configFile]);
    await vi.waitFor(() => expect(generationOf(master.publication)).toBeGreaterThan(0), PATIENCE);
    const follower = startDaemon(["replica", "run", "-c", replica.configFile]);
    await vi.waitFor(() => expect(compareTrees(tree, replica.tree)).toEqual([]), PATIENCE);

    writeTimed(tree, "part-0/appeared", "while they ran", 1_600_009_000);
    await vi.waitFor(() => expect(compareTrees(tree, replica.tree)).toEqual([]), PATIENCE);

    writeFileSync(path.join(replica.tree, "part-0/appeared"), "while nobody looked");
    rmSync(path.join(replica.tree, "part-1"), { recursive: true });
    await vi.waitFor(() => {
      expect(compareTrees(tree, replica.tree)).toEqual([]);
      expect(follower.log()).toMatch(/verify.mended/);
    }, PATIENCE);

    expect(await stop(follower)).toMatchObject({ exitCode: STOPPED });
    expect(await stop(publisher)).toMatchObject({ exitCode: STOPPED });
  });

  test("have nothing open of a tree that threads of theirs have built", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    makeTree(tree, { files: 5000 });
    const master = await makeMaster(folder, { tree });
    await publish(master);
    const replica = makeReplica(path.join(folder, "replica"), master);
    const follower = startDaemon(["replica", "run", "-c", replica.configFile]);
    await vi.waitFor(() => expect(follower.log()).toMatch(/cycle.done/), PATIENCE);
    expect(compareTrees(tree, replica.tree)).toEqual([]);
    await vi.waitFor(() => expect(openFilesOf(follower, replica.tree)).toEqual([]), PATIENCE);
    expect(await stop(follower)).toMatchObject({ exitCode: STOPPED });
  });
});

/** What a daemon has open in a folder. */
function openFilesOf({ processId }: RunningCommand, folder: string): string[] {
  const descriptors = `/proc/${processId}/fd`;
  return readdirSync(descriptors)
    .map((name) => readlinkSync(path.join(descriptors, name)))
    .filter((file) => file.startsWith(folder));
}

/** An orderly end after SIGTERM, as the list of exit codes has it. */
const STOPPED = 143;

/** Watching waits for the tree to settle, then duplicity runs. */
const PATIENCE = { timeout: 60_000, interval: 200 };

function startDaemon(words: readonly string[]): RunningCommand {
  const daemon = startDupmirror(words);
  onTestFinished(() => daemon.kill("SIGKILL"));
  return daemon;
}

function stop(daemon: RunningCommand): Promise<CliResult> {
  daemon.kill("SIGTERM");
  return daemon.ended;
}
