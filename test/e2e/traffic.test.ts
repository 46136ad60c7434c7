import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CountingServer, startCountingServer } from "../support/counting-server.js";
import { fastLastingFolder, removeFolder } from "../support/temporary.js";
import { compareLists, compareTrees, listTree } from "../support/tree-compare.js";
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
import { type StoredSet, storedSets, sumStored } from "./support/stored-size.js";

const FILES = 20_000;
const CHANGED = 100;
const K = 2;

/** One twentieth of a tree of 20 000 files, in one piece. */
const PART = ["part-3/folder-1*/**", "part-3/folder-2*/**"];
const isInPart = (path: string) => /^part-3\/folder-[12]/.test(path);

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

  test("moves of a part what is stored of it, a third more and 64 kB, when new and when it follows", async () => {
    const part = makeReplica(path.join(folder, "part"), {
      sources: [server.url],
      keyFile: master.keyFile,
      more: { include: PART },
    });
    const bytesAllowed = async (sets: number) => {
      const entries = (await storedSets(master.publication)).slice(-sets);
      const needed = entries.flatMap((set) => set.entries.filter(({ path }) => isInPart(path)));
      return 1.3 * sumStored(needed) + 64_000;
    };
    server.reset();
    expect((await sync(part)).strategy).toBe("fresh");
    expect(server.bytes()).toBeLessThanOrEqual(await bytesAllowed(Infinity));
    rewriteFiles(tree, files, { count: FILES / 20, step: 2 });
    await publish(master);
    server.reset();
    expect((await sync(part)).strategy).toBe("follow");
    expect(server.bytes()).toBeLessThanOrEqual(await bytesAllowed(1));
    expect(compareParts(tree, part.tree)).toEqual([]);
  });

  test("moves over an older copy that rsync made what has changed since, at most twice, and the contents", async () => {
    const adopter = makeReplica(path.join(folder, "adopter"), {
      sources: [server.url],
      keyFile: master.keyFile,
    });
    await execa("rsync", ["-a", `${tree}/`, `${adopter.tree}/`]);
    const drifted = new Set(rewriteFiles(tree, files, { count: FILES / 100, step: 3 }));
    await publish(master);
    const sets = await storedSets(master.publication);
    const last = sets.at(-1)?.entries.filter(({ path }) => drifted.has(path)) ?? [];
    expect(last).toHaveLength(drifted.size);
    server.reset();
    expect((await sync(adopter)).strategy).toBe("rebase");
    expect(server.bytes()).toBeLessThanOrEqual(2 * sumStored(last) + contentsOf(sets));
    expect(compareTrees(tree, adopter.tree)).toEqual([]);
  });

  test("moves into a new chain what has changed, at most twice, and the contents", async () => {
    await sync(replica);
    const changed = new Set(rewriteFiles(tree, files, { count: FILES / 100, step: 4 }));
    await publish(master, "--full");
    const full = await storedSets(master.publication);
    expect(full).toHaveLength(1);
    const stored = full[0]?.entries.filter(({ path }) => changed.has(path)) ?? [];
    server.reset();
    expect((await sync(replica)).strategy).toBe("rebase");
    expect(server.bytes()).toBeLessThanOrEqual(2 * sumStored(stored) + contentsOf(full));
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

function contentsOf(sets: readonly StoredSet[]): number {
  return sets.reduce((sum, { contentsBytes }) => sum + contentsBytes, 0);
}

/** How the part of `tree` differs from a replica's tree, which has the directories that lead there besides. */
function compareParts(tree: string, replicaTree: string): string[] {
  const expected = listTree(tree).filter(
    ({ path, type }) => isInPart(path) && type !== "directory",
  );
  const found = listTree(replicaTree).filter(({ type }) => type !== "directory");
  return compareLists(expected, found);
}
