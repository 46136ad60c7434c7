import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { syncInProcess } from "../support/in-process.js";
import { Random, sample } from "../support/random.js";
import { fastLastingFolder, fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { compareTrees, fingerprintTree } from "../support/tree-compare.js";
import { liveOneStep, makeTree, writeTimed } from "../support/trees.js";
import {
  copyPublication,
  fileUrl,
  type Master,
  makeMaster,
  makeReplica,
  pointReplica,
  publish,
  type Replica,
} from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

describeWithDuplicity("a flipped byte in a tiny publication", () => {
  let folder: string;
  let tree: string;
  let master: Master;

  beforeAll(async () => {
    folder = fastLastingFolder();
    tree = path.join(folder, "tree");
    writeTimed(tree, "docs/readme", "first of three\n".repeat(40), 1_600_000_000);
    writeTimed(tree, "docs/other", "second", 1_600_000_000);
    master = await makeMaster(folder, { tree });
    await publish(master);
    writeTimed(tree, "docs/readme", "first of three, changed\n".repeat(40), 1_600_001_000);
    writeTimed(tree, "new", "third", 1_600_001_000);
    await publish(master);
  });

  afterAll(() => removeFolder(folder));

  test.each(["head", "ledger"])("at any place of the %s changes no tree", async (document) => {
    const random = new Random();
    const publication = copyToFast(master);
    const file = filesBelow(publication).find((one) => one.startsWith(document)) ?? "";
    const size = readFileSync(path.join(publication, file)).length;
    const places = Array.from({ length: size }, (_, offset) => ({ file, offset }));
    await expectNoTreeChanged({ master, publication, places, expected: tree, random });
  });
});

describeWithDuplicity("a flipped byte in any published file", () => {
  let folder: string;
  let tree: string;
  let master: Master;
  let older: string;

  beforeAll(async () => {
    folder = fastLastingFolder();
    tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 1200 });
    master = await makeMaster(folder, { tree });
    liveOneStep(tree, files, 1);
    await publish(master);
    older = copyPublication(master, path.join(folder, "older"));
    liveOneStep(tree, files, 2);
    await publish(master);
  });

  afterAll(() => removeFolder(folder));

  test("changes no tree that is made afresh", async () => {
    const random = new Random();
    const publication = copyToFast(master);
    const places = filesBelow(publication).flatMap((file) =>
      placesIn(publication, { file, most: 12 }, random),
    );
    await expectNoTreeChanged({ master, publication, places, expected: tree, random });
  });

  test("changes no tree that follows", async () => {
    const random = new Random();
    const publication = copyToFast(master);
    const all = filesBelow(publication).flatMap((file) =>
      placesIn(publication, { file, most: 40 }, random),
    );
    const newest = { sources: [fileUrl(publication)], keyFile: master.keyFile };
    for (const place of sample(all, 40, random)) {
      const replica = makeReplica(fastTemporaryFolder(), { ...newest, sources: [older] });
      expect(await syncInProcess(replica)).toEqual({ kind: "synced" });
      pointReplica(replica, newest);
      const untouched = fingerprintTree(replica.tree);
      const putBack = flipByte(publication, place, random);
      const outcome = await syncInProcess(replica);
      putBack();
      const said = describePlace(place, random);
      if (outcome.kind === "synced") {
        expect(compareTrees(tree, replica.tree), said).toEqual([]);
      } else {
        expect(outcome, said).toMatchObject({ exitCode: expect.toBeOneOf([4, 5]) as number });
        expect(fingerprintTree(replica.tree), said).toBe(untouched);
      }
      removeFolder(path.dirname(replica.tree));
    }
  });

  test("in shares is worked around, as the others are good", async () => {
    const random = new Random();
    const publication = copyToFast(master);
    const shares = filesBelow(publication).filter((file) => /^shares\/\d+\/.*\/v\d+$/.test(file));
    const replicaOf = { sources: [fileUrl(publication)], keyFile: master.keyFile };
    for (const file of shares) {
      const [place] = placesIn(publication, { file, most: 1 }, random);
      if (place === undefined) throw new Error(`${file} is empty`);
      const putBack = flipByte(publication, place, random);
      const replica = makeReplica(fastTemporaryFolder(), replicaOf);
      const outcome = await syncInProcess(replica);
      putBack();
      expect(outcome, describePlace(place, random)).toEqual({ kind: "synced" });
      expect(compareTrees(tree, replica.tree), describePlace(place, random)).toEqual([]);
    }
  });
});

interface Place {
  readonly file: string;
  readonly offset: number;
}

/** At each of `places` in turn: a replica that has nothing ends with the right tree, or with none and exit 4 or 5. */
async function expectNoTreeChanged(options: {
  readonly master: Master;
  readonly publication: string;
  readonly places: readonly Place[];
  readonly expected: string;
  readonly random: Random;
}): Promise<void> {
  const { master, publication, places, expected, random } = options;
  const replicaOf = { sources: [fileUrl(publication)], keyFile: master.keyFile };
  const folder = fastTemporaryFolder();
  let used = 0;
  let replica: Replica | undefined;
  for (const place of places) {
    replica ??= makeReplica(path.join(folder, `${used++}`), replicaOf);
    const putBack = flipByte(publication, place, random);
    const outcome = await syncInProcess(replica);
    putBack();
    const said = describePlace(place, random);
    if (outcome.kind === "synced") {
      expect(compareTrees(expected, replica.tree), said).toEqual([]);
      removeFolder(path.dirname(replica.tree));
      replica = undefined;
    } else {
      expect(outcome, said).toMatchObject({ exitCode: expect.toBeOneOf([4, 5]) as number });
      expect(readdirSync(replica.tree), said).toEqual([]);
    }
  }
}

function copyToFast(master: Master): string {
  const publication = path.join(fastTemporaryFolder(), "publication");
  copyPublication(master, publication);
  return publication;
}

/** Flips some bits of one byte; the function that comes back undoes it. */
function flipByte(publication: string, place: Place, random: Random): () => void {
  const file = path.join(publication, place.file);
  const good = readFileSync(file);
  const bad = Buffer.from(good);
  bad.writeUInt8(bad.readUInt8(place.offset) ^ (1 + random.below(255)), place.offset);
  writeFileSync(file, bad);
  return () => writeFileSync(file, good);
}

/** The first byte, the last, and others at random: `most` places, or every one in a short file. */
function placesIn(
  publication: string,
  options: { readonly file: string; readonly most: number },
  random: Random,
): Place[] {
  const { file, most } = options;
  const size = readFileSync(path.join(publication, file)).length;
  const offsets = new Set(size === 0 ? [] : [0, size - 1]);
  while (offsets.size < Math.min(size, most)) offsets.add(random.below(size));
  return [...offsets].map((offset) => ({ file, offset }));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

function describePlace(place: Place, random: Random): string {
  return `${place.file}, byte ${place.offset} (SEED=${random.seed})`;
}
