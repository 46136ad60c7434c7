import { rmSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { startCountingServer } from "../support/counting-server.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { makeTree, timeOfStep, writeTimed } from "../support/trees.js";
import { makeMaster, makeReplica, publish, sync } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";
import { storedSets } from "./support/stored-size.js";

/** A week of one set every quarter of an hour. */
const SETS = process.env["SLOW"] === undefined ? 24 : 672;
const QUARTER_SECONDS = 900;
const FIRST_BACKUP = 1_700_000_000;

const random = new Random();

describeWithDuplicity(`a replica that missed ${SETS} increments (seed ${random.seed})`, () => {
  test("fetches once what changed many times, and never what came and went", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 200 });
    const repository = path.join(folder, "somebodys-repository");
    const master = await makeMaster(path.join(folder, "master"), {
      tree: path.join(folder, "unused-tree"),
      externalRepository: repository,
    });
    const nets = path.join(folder, "net-repository");
    for (const one of [repository, nets]) await backUp(tree, one, 0);
    await publish(master);
    const server = await startCountingServer(master.publication);
    const replica = makeReplica(path.join(folder, "replica"), {
      sources: [server.url],
      keyFile: master.keyFile,
    });
    await sync(replica);
    for (let step = 1; step <= SETS; step++) {
      liveAQuarter(tree, files, step);
      await backUp(tree, repository, step);
    }
    await publish(master);
    server.reset();
    const report = await sync(replica);
    expect(report).toMatchObject({ strategy: "follow", setsFollowed: SETS });
    expect(compareTrees(tree, replica.tree)).toEqual([]);
    const [moved, requests] = [server.bytes(), server.requests()];
    await server.close();

    // What one increment over all that time would have stored.
    await backUp(tree, nets, SETS);
    const netMaster = await makeMaster(path.join(folder, "net-master"), {
      tree: path.join(folder, "unused-tree"),
      externalRepository: nets,
    });
    await publish(netMaster);
    const net = (await storedSets(netMaster.publication)).at(-1);
    const netBytes = net?.volumesBytes ?? 0;
    expect(moved).toBeLessThanOrEqual(1.2 * netBytes + 1000 * SETS);
    expect(requests.length).toBeLessThanOrEqual(200);
  });
});

/** What happens in a quarter of an hour: mostly what is undone or done anew soon after, now and then something that lasts. */
function liveAQuarter(tree: string, files: readonly string[], step: number): void {
  const write = (file: string, sizeBytes: number) =>
    writeTimed(tree, file, random.bytes(sizeBytes), timeOfStep(step));
  if (step % 12 === 0) {
    write(`lasting/${step}`, 8000);
  } else if (step % 3 === 1) {
    write(`passing/${step}`, 3000);
  } else if (step % 3 === 2) {
    rmSync(path.join(tree, `passing/${step - 1}`));
    write(random.pick(files.slice(0, 10)), 700);
  } else {
    write("index", 1300);
  }
}

async function backUp(tree: string, repository: string, step: number): Promise<void> {
  const time = FIRST_BACKUP + step * QUARTER_SECONDS;
  await execa(PROGRAM, [
    ...["--no-encryption", "--no-compression", "--allow-source-mismatch"],
    ...["--archive-dir", `${repository}.archive`, "--name", "test", "--current-time", `${time}`],
    ...[tree, `file://${repository}`],
  ]);
}

const PROGRAM = "duplicity";
