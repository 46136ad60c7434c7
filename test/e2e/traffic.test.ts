import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CountingServer, startCountingServer } from "../support/counting-server.js";
import { fastLastingFolder, removeFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { makeTree, rewriteFiles } from "../support/trees.js";
import {
  type Master,
  makeMaster,
  makeReplica,
  publish,
  type Replica,
  sync,
} from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const FILES = 20_000;
const CHANGED = 100;
const K = 2;

describeWithDuplicity("a replica of 20 000 files over HTTP", () => {
  let folder: string;
  let tree: string;
  let files: readonly string[];
  let master: Master;
  let replica: Replica;
  let server: CountingServer;

  beforeAll(async () => {
    folder = fastLastingFolder();
    tree = path.join(folder, "tree");
    files = makeTree(tree, { files: FILES, meanSizeBytes: 300 });
    master = await makeMaster(folder, { tree, k: K, n: 3 });
    await publish(master);
    server = await startCountingServer(master.publication);
    replica = makeReplica(path.join(folder, "replica"), {
      sources: [server.url],
      keyFile: master.keyFile,
    });
    await sync(replica);
  });

  afterAll(async () => {
    await server.close();
    removeFolder(folder);
  });

  test("moves less than 1 kB when there is nothing new", async () => {
    server.reset();
    expect((await sync(replica)).strategy).toBe("none");
    expect(server.requests()).toEqual(["GET /head 304"]);
    expect(server.bytes()).toBeLessThan(1000);
  });

  test("moves what the increment stores and at most 8 kB more when 100 files have changed", async () => {
    const storedBefore = volumeBytes(master);
    rewriteFiles(tree, files, { count: CHANGED, step: 1 });
    await publish(master);
    const stored = volumeBytes(master) - storedBefore;
    server.reset();
    expect((await sync(replica)).strategy).toBe("follow");
    expect(stored).toBeGreaterThan(0);
    expect(server.bytes()).toBeLessThanOrEqual(stored + 8000);
    expect(compareTrees(tree, replica.tree)).toEqual([]);
  });
});

/** Bytes of the volumes' blocks in the first k shares: what any replica must read of them. */
function volumeBytes(master: Master): number {
  return Array.from({ length: K }, (_, share) =>
    path.join(master.publication, "shares", `${share}`),
  )
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.startsWith("v"))
    .map((entry) => statSync(path.join(entry.parentPath, entry.name)).size)
    .reduce((sum, size) => sum + size, 0);
}
