/** Index files appear after what they name, in the layouts of the repositories that mirrors hold. */
import { existsSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { REPLICA_DEFAULTS } from "../../src/config/defaults.js";
import { ConfinedTree } from "../../src/disk/confined.js";
import { stateFiles } from "../../src/replica/state-files.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import { Crash, cutter, watchMethods } from "./support/crashing.js";
import { file, folder, link, type Model, model } from "./support/model.js";
import type { TestPublication } from "./support/publication.js";
import { publishHistory } from "./support/publication.js";
import { missing, naming } from "./support/repository-reader.js";

vi.mock("../../src/programs/sync.js", () => ({ syncFileSystem: () => Promise.resolve() }));

beforeAll(() => watchMethods(ConfinedTree.prototype));
afterEach(() => {
  cutter.onStep = () => undefined;
});

interface Layout {
  readonly name: string;
  /** Each set has another version of the package, and not the one before. */
  readonly trees: readonly Model[];
  /** Where package managers begin. */
  readonly entries: readonly string[];
}

const VERSIONS = [1, 2, 3];

/** A reader looks before every step; only every so often one is also the last, and another run goes on. */
const STEPS_BETWEEN_CUTS = process.env["SLOW"] === undefined ? 9 : 1;

const LAYOUTS: readonly Layout[] = [
  {
    name: "Debian",
    trees: VERSIONS.map(debian),
    entries: [
      "dists/stable/InRelease",
      "dists/stable/Release",
      "dists/stable/main/Packages.gz",
      "dists/stable/main/Packages.diff/Index",
      "flat/InRelease",
      "flat/Packages.xz",
      "project/trace/master",
    ],
  },
  {
    name: "RPM",
    trees: VERSIONS.map(rpm),
    entries: ["os/repodata/repomd.xml", "old/repodata/repomd.xml", "old/repodata/primary.xml.gz"],
  },
  {
    name: "Arch",
    trees: VERSIONS.map(arch),
    entries: [
      "core/os/core.db",
      "core/os/core.db.tar.gz",
      "core/os/core.files",
      "lastupdate",
      "lastsync",
    ],
  },
  {
    name: "Alpine",
    trees: VERSIONS.map(alpine),
    entries: ["v3/main/APKINDEX.tar.gz", "edge/APKINDEX.tar.gz", "last-updated"],
  },
];

describe.each(LAYOUTS)("a $name repository", ({ trees, entries }) => {
  test.each([
    { way: "made", from: undefined, to: 1 },
    { way: "followed", from: 0, to: 1 },
    { way: "followed over several sets", from: 0, to: 2 },
    { way: "compared with a new chain", from: 0, to: 3 },
  ])("that is $way never shows an index without what it names", async ({ from, to }) => {
    const work = fastTemporaryFolder();
    const publication = await publishHistory(`${work}/publication`, trees);
    await publication.addFull(trees[1] ?? new Map());
    const prepare = async (place: string): Promise<TestReplica> => {
      const replica = await begin(`${work}/${place}`, publication, from);
      publication.showHead(to);
      return replica;
    };
    const whole = await prepare("whole");
    const seen = await watched(whole, entries);
    const cuts: unknown[] = [];
    for (let number = seen.firstStep; number < seen.stepCount; number += STEPS_BETWEEN_CUTS) {
      const replica = await prepare(String(number));
      await cutOff(replica, number);
      const { faults } = await watched(replica, entries);
      cuts.push(...faults.map((fault) => ({ number, fault })));
      expect(replica.faults(publication.trees[to] ?? new Map())).toEqual([]);
    }
    expect({ whole: seen.faults, cuts }).toEqual({ whole: [], cuts: [] });
    expect(seen.stepCount - seen.firstStep).toBeGreaterThan(5);
    expect(missing(whole.tree, entries)).toEqual([]);
  });
});

test("without the patterns the reader does miss something", async () => {
  const work = fastTemporaryFolder();
  const faults: string[] = [];
  for (const { name, trees, entries } of LAYOUTS) {
    const publication = await publishHistory(`${work}/${name}/publication`, trees);
    const replica = await begin(`${work}/${name}`, publication, 0);
    replica.config = { ...replica.config, publishLast: [] };
    publication.showHead(1);
    faults.push(...(await watched(replica, entries)).faults);
  }
  expect(faults).not.toEqual([]);
});

async function begin(
  place: string,
  publication: TestPublication,
  from: number | undefined,
): Promise<TestReplica> {
  const replica = new TestReplica(place, [publication]);
  const publishLast = [...REPLICA_DEFAULTS.publishLast];
  replica.config = { ...replica.config, publishLast };
  if (from === undefined) return replica;
  publication.showHead(from);
  await replica.sync();
  return replica;
}

/** Runs a cycle with a reader who looks before every step. */
async function watched(
  replica: TestReplica,
  entries: readonly string[],
): Promise<{ readonly faults: string[]; readonly firstStep: number; readonly stepCount: number }> {
  const { journal } = stateFiles(replica.state);
  const faults = new Set<string>();
  let firstStep = Infinity;
  let stepCount = 0;
  cutter.onStep = () => {
    if (existsSync(journal)) firstStep = Math.min(firstStep, stepCount);
    stepCount++;
    for (const fault of missing(replica.tree, entries)) faults.add(fault);
  };
  await replica.sync();
  cutter.onStep = () => undefined;
  return { faults: [...faults], firstStep, stepCount };
}

/** The last step may not be there: the root's time is put back only if a second has passed. */
async function cutOff(replica: TestReplica, number: number): Promise<void> {
  cutter.arm(number, "dies");
  try {
    await replica.sync();
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  } finally {
    cutter.disarm();
  }
}

/** A pool, indexes by name and by hash, a suite that a symlink names, a flat repository. */
function debian(version: number): Model {
  const time = 1000 + version;
  const deb = `pool/p${version}/package_${version}.deb`;
  const suite = `dists/suite${version > 1 ? 2 : 1}`;
  const byHash = `${suite}/main/by-hash/${version}`;
  const patch = `${suite}/main/Packages.diff/${version}.gz`;
  return model({
    dists: folder(time),
    "dists/stable": link(suite.slice("dists/".length)),
    [suite]: folder(time),
    [`${suite}/InRelease`]: naming([byHash], time),
    [`${suite}/Release`]: naming([byHash, `${suite}/main/Packages.gz`], time),
    [`${suite}/Release.gpg`]: file(`signature ${version}`, time),
    [`${suite}/main`]: folder(time),
    [`${suite}/main/Packages.gz`]: naming([deb], time),
    [`${suite}/main/Packages.diff`]: folder(time),
    [`${suite}/main/Packages.diff/Index`]: naming([patch], time),
    [patch]: file(`patch ${version}`, time),
    [`${suite}/main/by-hash`]: folder(time),
    [byHash]: naming([deb], time),
    flat: folder(time),
    "flat/InRelease": naming(["flat/Packages.xz"], time),
    "flat/Packages.xz": naming([`flat/package_${version}.deb`], time),
    [`flat/package_${version}.deb`]: file(`flat package ${version}`, time),
    pool: folder(time),
    [`pool/p${version}`]: folder(time),
    [deb]: file(`package ${version}`, time),
    project: folder(time),
    "project/trace": folder(time),
    "project/trace/master": naming([`${suite}/InRelease`, deb], time),
  });
}

/** Metadata named by hash, and by the same name in each version. */
function rpm(version: number): Model {
  const time = 1000 + version;
  const primary = `os/repodata/${version}0a-primary.xml.gz`;
  const packages = [`os/Packages/z/z-${version}.rpm`, `os/Packages/new${version}/a.rpm`];
  const old = `old/z-${version}.rpm`;
  return model({
    old: folder(time),
    "old/repodata": folder(time),
    "old/repodata/primary.xml.gz": naming([old], time),
    "old/repodata/repomd.xml": naming(["old/repodata/primary.xml.gz"], time),
    [old]: file(`package ${version}`, time),
    os: folder(time),
    "os/repodata": folder(time),
    "os/repodata/repomd.xml": naming([primary], time),
    "os/repodata/repomd.xml.asc": file(`signature ${version}`, time),
    [primary]: naming(packages, time),
    "os/Packages": folder(time),
    "os/Packages/z": folder(time),
    [`os/Packages/new${version}`]: folder(time),
    ...Object.fromEntries(packages.map((one) => [one, file(`${one} of ${version}`, time)])),
  });
}

/** Packages are symlinks into a pool, databases symlinks to archives. */
function arch(version: number): Model {
  const time = 1000 + version;
  const name = `package-${version}.pkg.tar.zst`;
  const named = [`core/os/${name}`, `core/os/${name}.sig`];
  return model({
    core: folder(time),
    "core/os": folder(time),
    "core/os/core.db": link(`core.db.tar.${version < 3 ? "gz" : "zst"}`),
    "core/os/core.db.tar.gz": naming(named, time),
    "core/os/core.db.tar.zst": naming(named, time),
    "core/os/core.db.tar.gz.old": file(`older ${version}`, time),
    "core/os/core.files": link("core.files.tar.gz"),
    "core/os/core.files.tar.gz": naming(named, time),
    [`core/os/${name}`]: link(`../../pool/packages/${name}`),
    [`core/os/${name}.sig`]: link(`../../pool/packages/${name}.sig`),
    lastsync: naming(["lastupdate", ...named], time),
    lastupdate: naming(["core/os/core.db", ...named], time),
    pool: folder(time),
    "pool/packages": folder(time),
    [`pool/packages/${name}`]: file(`package ${version}`, time),
    [`pool/packages/${name}.sig`]: file(`signature ${version}`, time),
  });
}

/** Packages beside their index, before and after it in order of names. */
function alpine(version: number): Model {
  const time = 1000 + version;
  const packages = [`v3/main/0-${version}.apk`, `v3/main/zsh-${version}.apk`];
  const fresh = `edge/r${version}/a.apk`;
  return model({
    edge: folder(time),
    "edge/APKINDEX.tar.gz": naming([fresh], time),
    [`edge/r${version}`]: folder(time),
    [fresh]: file(`edge ${version}`, time),
    "last-updated": naming(packages, time),
    v3: folder(time),
    "v3/main": folder(time),
    "v3/main/APKINDEX.tar.gz": naming(packages, time),
    ...Object.fromEntries(packages.map((one) => [one, file(`${one} of ${version}`, time)])),
  });
}
