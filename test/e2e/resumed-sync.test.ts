/** A sync that is killed again and again goes on each time where it was, and fetches little more than one that is not. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import {
  differences,
  file,
  folder,
  type Model,
  type ModelObject,
  model,
} from "../replica/support/model.js";
import { KEYS, MIRROR, TestPublication } from "../replica/support/publication.js";
import { dupmirrorWorks, startDupmirror } from "../support/cli.js";
import { type CountingServer, startCountingServer } from "../support/counting-server.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { makeReplica, type Replica } from "../support/workspace.js";

const MIB = 1024 * 1024;
const CUTS = ["SIGKILL", "SIGTERM", "SIGKILL"] as const;
/** What is fetched ahead of what is staged, and a stripe at the edge. */
const ALLOWED_BYTES = 18 * MIB;

const { seed } = new Random();

test(`a fresh sync that is cut off again and again (SEED=${seed})`, async () => {
  const work = fastTemporaryFolder();
  const tree = randomTree(new Random(seed));
  const server = await serve(path.join(work, "publication"), tree);
  const once = replicaOf(path.join(work, "once"), server);
  await dupmirrorWorks(["replica", "sync", "-c", once.configFile]);
  const wholeBytes = server.bytes();

  const replica = replicaOf(path.join(work, "again"), server);
  let sumBytes = 0;
  for (const signal of CUTS) {
    server.reset();
    const command = startDupmirror(["replica", "sync", "-c", replica.configFile]);
    while (server.bytes() < ALLOWED_BYTES + 6 * MIB) await pause(1);
    command.kill(signal);
    expect((await command.ended).exitCode).not.toBe(0);
    sumBytes += server.bytes();
    const { stdout } = await dupmirrorWorks(["replica", "status", "-c", replica.configFile]);
    expect(stdout).toMatch(/unfinished: full\.\w+, [\d.]+ \w+ of [\d.]+ MiB staged/);
  }
  server.reset();
  await dupmirrorWorks(["replica", "sync", "-c", replica.configFile]);
  sumBytes += server.bytes();
  expect(differences(tree, replica.tree)).toEqual([]);
  expect(sumBytes).toBeLessThan(wholeBytes + CUTS.length * ALLOWED_BYTES);
}, 120_000);

/** So slowly that it takes some seconds, and that a kill does not come late. */
async function serve(place: string, tree: Model): Promise<CountingServer> {
  const archive = { volumeSizeBytes: 8 * MIB };
  const publication = new TestPublication(place, { archive, pageEntries: 200 });
  publication.time = Math.floor(Date.now() / 1000) - 3600;
  await publication.addFull(tree);
  const server = await startCountingServer(place, { bytesPerSecond: 40 * MIB });
  onTestFinished(() => server.close());
  return server;
}

/** Small files, and a large one that is longer than what comes between two kills. */
function randomTree(random: Random): Model {
  const objects: Record<string, ModelObject> = { "": folder(1) };
  for (let number = 0; number < 900; number++) {
    const parent = `folder-${number % 9}`;
    objects[parent] = folder(2);
    objects[`${parent}/${number}`] = file(random.bytes(30_000), 1000 + number);
  }
  objects["folder-4/large"] = file(random.bytes(28 * MIB), 3);
  return model(objects);
}

function replicaOf(place: string, server: CountingServer): Replica {
  const more = { name: MIRROR, owners: "none" };
  const replica = makeReplica(place, { sources: [server.url], keyFile: "key", more });
  writeFileSync(path.join(place, "key"), `${KEYS.verifierKey}\n`);
  return replica;
}
