import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MasterMirror } from "../../src/config/master.js";
import { formatVerifierKey, parseVerifierKey } from "../../src/manifest/keys.js";
import { openNote } from "../../src/manifest/signed-note.js";
import { readSigningKey } from "../../src/master/signing-key.js";
import { masterStatus } from "../../src/master/status.js";
import { startPutServer } from "../store/put-server.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, lastingFolder, removeFolder } from "../support/temporary.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { type Bench, makeBench, makeHosts } from "./support/master-bench.js";
import {
  copyRepository,
  filesWith,
  keepSets,
  makeRepository,
  NO_DUPLICITY,
} from "./support/repositories.js";

describe.skipIf(NO_DUPLICITY)(`pushing to hosts ${NO_DUPLICITY ?? ""}`, () => {
  const made = lastingFolder();
  const random = new Random();
  beforeAll(() => makeRepository(made, { increments: 2 }));
  afterAll(() => removeFolder(made));

  interface HostedBench extends Bench {
    readonly folders: readonly [string, string, string];
    /** Puts the sets that were left out back. */
    addSets(): void;
  }

  /** A master with a host for each of three shares, whose repository has only the full set at first. */
  function makeHosted(change: Partial<MasterMirror> = {}): HostedBench {
    const folder = fastTemporaryFolder();
    copyRepository(made, folder);
    const hosts = makeHosts(folder, 3);
    const { duplicity } = makeBench(folder).config;
    const bench = makeBench(folder, {
      ...{ hosts, duplicity: { ...duplicity, engine: "external" } },
      ...change,
    });
    const { repository } = bench.config;
    keepSets(repository, 1);
    const folderOf = (share: number): string => path.join(folder, `host-${share}`);
    return {
      ...bench,
      folders: [folderOf(0), folderOf(1), folderOf(2)],
      addSets: () => {
        for (const file of filesWith(path.join(made, "repository"), "")) {
          cpSync(file, path.join(repository, path.basename(file)));
        }
      },
    };
  }

  const sharesIn = (folder: string): string[] => readdirSync(path.join(folder, "shares"));
  const check = async ({ config }: Bench, folders: readonly string[], shares = [0, 1, 2]) =>
    await checkPublication({ folders, shares, repository: config.repository, random });

  it("gives each host the documents and its own share alone", async () => {
    const bench = makeHosted();
    const report = await bench.publish();
    expect(report.hosts.map(({ state }) => state)).toEqual(["current", "current", "current"]);
    expect(bench.folders.map(sharesIn)).toEqual([["0"], ["1"], ["2"]]);
    const { lineage } = await check(bench, bench.folders);
    expect(lineage).toHaveLength(1);
    bench.addSets();
    await bench.publish();
    expect(bench.folders.map(sharesIn)).toEqual([["0"], ["1"], ["2"]]);
    for (const first of bench.folders) {
      const rest = bench.folders.filter((folder) => folder !== first);
      expect((await check(bench, [first, ...rest])).lineage).toHaveLength(3);
    }
  });

  it("puts the key that signs the head beside it, there and at each host", async () => {
    const bench = makeHosted();
    await bench.publish();
    const { verifier } = readSigningKey(bench.config.signing.keyFile);
    for (const folder of [bench.config.publication, ...bench.folders]) {
      const text = readFileSync(path.join(folder, "key.pub"), "utf8");
      expect(text).toBe(`${formatVerifierKey(verifier)}\n`);
      expect(() => openNote(readFileSync(path.join(folder, "head")), [verifier])).not.toThrow();
    }
    expect(parseVerifierKey(formatVerifierKey(verifier)).id).toEqual(verifier.id);
  });

  it("names the hosts in the head", async () => {
    const bench = makeHosted();
    await bench.publish();
    const { sources } = readHead(bench.config.publication);
    expect(sources).toEqual(
      bench.config.hosts.map(({ name, url, shares }) => ({ name, url, shares })),
    );
  });

  it("goes on without a host that is not there, and catches it up when it is", async () => {
    const bench = makeHosted();
    const [, , lost] = bench.folders;
    await bench.publish();
    renameSync(lost, `${lost}.gone`);
    bench.addSets();
    const without = await bench.publish();
    expect(without.hosts.map(({ state }) => state)).toEqual(["current", "current", "behind"]);
    expect(existsSync(lost)).toBe(false);
    expect(readHead(`${lost}.gone`).generation).toBe(1);
    renameSync(`${lost}.gone`, lost);
    const again = await bench.publish();
    expect(again).toMatchObject({ published: "nothing", sets: [], generation: 2 });
    expect(again.hosts.map(({ state }) => state)).toEqual(["current", "current", "current"]);
    expect((await check(bench, [lost, bench.folders[0]], [0, 2])).lineage).toHaveLength(3);
  });

  it("tells what a host that is behind holds, what it lacks, and since when", async () => {
    const bench = makeHosted();
    const [, , lost] = bench.folders;
    const states = () => masterStatus(bench.config).hosts;
    expect(states()[2]).toMatchObject({ state: "behind", error: "nothing was pushed to it yet" });
    await bench.publish();
    const current = { state: "current", error: undefined, behindSince: undefined, missingBytes: 0 };
    expect(states()[2]).toMatchObject({ ...current, generation: 1 });
    renameSync(lost, `${lost}.gone`);
    bench.addSets();
    const before = Date.now();
    await bench.publish();
    const [, , behind] = states();
    expect(behind).toMatchObject({ state: "behind", generation: 1 });
    expect(behind?.error).toMatch(/^host-2: .*its folder is not there any more/);
    expect(behind?.behindSince).toBeGreaterThanOrEqual(before);
    expect(behind?.missingBytes).toBeGreaterThan(1000);
    bench.runtime.offsetMs = 60_000;
    await bench.publish();
    expect(states()[2]).toEqual(behind);
    renameSync(`${lost}.gone`, lost);
    await bench.publish();
    expect(states()[2]).toMatchObject({ ...current, generation: 2 });
  });

  it("publishes no head that too few hosts could serve, and loses nothing by it", async () => {
    const bench = makeHosted({ hostMargin: 1 });
    const [, , lost] = bench.folders;
    await bench.publish();
    renameSync(lost, `${lost}.gone`);
    bench.addSets();
    await expect(bench.publish()).rejects.toMatchObject({ code: "HOSTS_TOO_FEW" });
    for (const folder of [bench.config.publication, ...bench.folders.slice(0, 2)]) {
      expect(readHead(folder).generation).toBe(1);
    }
    const packs = bench.folders.slice(0, 2).map(newestPack);
    await expect(bench.publish()).rejects.toMatchObject({ code: "HOSTS_TOO_FEW" });
    expect(bench.folders.slice(0, 2).map(newestPack)).toEqual(packs);
    renameSync(`${lost}.gone`, lost);
    const report = await bench.publish();
    expect(report).toMatchObject({ published: "sets", sets: [], generation: 2 });
    expect((await check(bench, bench.folders)).lineage).toHaveLength(3);
  });

  it("makes the folder of a host that is new, with those above it", async () => {
    const bench = makeHosted();
    const [first, second] = bench.folders;
    const place = path.join(first, "..", "mnt", "new");
    const moved = { name: "new", url: pathToFileURL(place).href, shares: [2] };
    const hosts = [...bench.config.hosts.slice(0, 2), moved];
    const report = await bench.publish({ config: { ...bench.config, hosts } });
    expect(report.hosts.map(({ state }) => state)).toEqual(["current", "current", "current"]);
    expect((await check(bench, [first, second, place])).lineage).toHaveLength(1);
  });

  it("takes the folder of a host that it once wrote to for a mount that is missing", async () => {
    const bench = makeHosted();
    const [, , lost] = bench.folders;
    rmSync(lost, { recursive: true });
    writeFileSync(lost, "no folder can be made here");
    const refused = await bench.publish();
    expect(refused.hosts[2]).toMatchObject({ state: "behind" });
    rmSync(lost);
    const made = await bench.publish();
    expect(made.hosts[2]).toMatchObject({ state: "current" });
    rmSync(lost, { recursive: true });
    const again = await bench.publish();
    expect(again.hosts[2]?.error).toContain("its folder is not there any more: mount it");
    expect(existsSync(lost)).toBe(false);
  });

  it("gives no host a head of packs that the publication lost", async () => {
    const bench = makeHosted();
    const { session = "" } = await bench.publish();
    const pack = `shares/0/${session}/20231114T221320Z/v0`;
    bench.addSets();
    await bench.publish({ config: { ...bench.config, hosts: [] } });
    truncateSync(path.join(bench.config.publication, pack), 1000);
    const report = await bench.publish();
    expect(report.hosts[0]?.error).toMatch(/shorter than .* the publication was damaged/);
    expect(report.hosts.map(({ state }) => state)).toEqual(["behind", "current", "current"]);
    expect(readHead(bench.folders[0]).generation).toBe(1);
  });

  it("goes on where it was with a server that vanished in the middle", async () => {
    const server = await startPutServer();
    const folder = fastTemporaryFolder();
    const [first, second] = makeHosts(folder, 2);
    if (first === undefined || second === undefined) throw new Error("two hosts were made");
    const third = { name: "host-2", url: server.url, shares: [2] };
    const bench = makeHosted({ hosts: [first, second, third] });
    const puts = () => server.changes.filter((change) => /^PUT (?!.*\.new$)/.test(change));
    bench.addSets();
    server.fail(({ method, url = "", socket }) => {
      const isLedger = method === "PUT" && url.endsWith(".jsonl");
      if (isLedger) socket.destroy();
      return isLedger;
    });
    const cut = await bench.publish();
    expect(cut.hosts[2]).toMatchObject({ state: "behind", generation: undefined });
    expect(cut.hosts[2]?.missingBytes).toBeGreaterThan(0);
    const tables = puts().filter((change) => /PUT (records|contents|volumes)/.test(change));
    expect(tables.length).toBeGreaterThan(0);
    expect(server.files.has("head")).toBe(false);
    server.changes.splice(0);
    server.fail(() => false);
    const again = await bench.publish();
    expect(again.hosts[2]).toMatchObject({ state: "current", generation: 1, missingBytes: 0 });
    expect(puts().filter((change) => tables.includes(change))).toEqual([]);
    for (const [file, bytes] of server.files) {
      expect(readFileSync(path.join(bench.config.publication, file)).equals(bytes)).toBe(true);
    }
    server.changes.splice(0);
    await bench.publish();
    expect(puts()).toEqual([]);
    const before = [...server.files.keys()].sort();
    server.files.clear();
    await bench.publish();
    expect([...server.files.keys()].sort()).toEqual(before);
  });

  it("fills a host that was emptied, and one whose packs were cut, anew", async () => {
    const bench = makeHosted();
    const [emptied, cut, third] = bench.folders;
    await bench.publish();
    rmSync(emptied, { recursive: true });
    mkdirSync(emptied);
    const { session } = readHead(cut);
    truncateSync(path.join(cut, `shares/1/${session}/20231114T221320Z/v0`), 8);
    await bench.publish();
    expect((await check(bench, [emptied, cut], [0, 1])).lineage).toHaveLength(1);
    expect((await check(bench, [cut, third], [1, 2])).lineage).toHaveLength(1);
  });
});

/** Which file of its volumes a host wrote last, and when. */
function newestPack(folder: string): string {
  const files = readdirSync(path.join(folder, "shares"), { recursive: true, encoding: "utf8" });
  const packs = files.filter((file) => file.endsWith("/v0"));
  return packs
    .map((file) => `${file} ${statSync(path.join(folder, "shares", file)).mtimeMs}`)
    .join();
}
