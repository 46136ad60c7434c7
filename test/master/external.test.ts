import {
  appendFileSync,
  cpSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MasterMirror } from "../../src/config/master.js";
import { isMirrorError, MirrorError } from "../../src/errors.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, lastingFolder, removeFolder } from "../support/temporary.js";
import { writeTimed } from "../support/trees.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { type Bench, makeBench } from "./support/master-bench.js";
import {
  backUpTo,
  copyRepository,
  DAY_SECONDS,
  FIRST_SET_TIME,
  filesWith,
  keepSets,
  makeRepository,
  NO_DUPLICITY,
} from "./support/repositories.js";

const FULL = "full.20231114T221320Z";
const FIRST = "inc.20231114T221320Z.to.20231115T221320Z";
const SECOND = "inc.20231115T221320Z.to.20231116T221320Z";
const THIRD = "inc.20231116T221320Z.to.20231117T221320Z";
const TIME_OF_FIRST = "to.20231115T221320Z";
const TIME_OF_SECOND = "to.20231116T221320Z";

describe.skipIf(NO_DUPLICITY)(`publishing an external repository ${NO_DUPLICITY ?? ""}`, () => {
  const made = lastingFolder();
  const random = new Random();
  beforeAll(() => makeRepository(made, { increments: 3 }));
  afterAll(() => removeFolder(made));

  function makeExternal(change: Partial<MasterMirror> = {}): Bench {
    const folder = fastTemporaryFolder();
    copyRepository(made, folder);
    const bench = makeBench(folder, change);
    const { duplicity } = bench.config;
    return makeBench(folder, { ...change, duplicity: { ...duplicity, engine: "external" } });
  }

  async function expectInvalid(publishing: Promise<unknown>, part: string): Promise<void> {
    const failure: unknown = await publishing.catch((error: unknown) => error);
    expect(isMirrorError(failure, "REPOSITORY_INVALID")).toBe(true);
    expect(String(failure)).toContain(part);
  }

  const check = async ({ config }: Bench) =>
    await checkPublication({
      folders: [config.publication],
      repository: config.repository,
      random,
    });

  it(`gives the repository back from any k shares (seed ${random.seed})`, async () => {
    const bench = makeExternal();
    const report = await bench.publish();
    expect(report).toMatchObject({ generation: 1, published: "sets", waiting: [], withheld: [] });
    expect((await check(bench)).lineage).toEqual([FULL, FIRST, SECOND, THIRD]);
  });

  it(`does so for gzip (seed ${random.seed})`, async () => {
    const folder = fastTemporaryFolder();
    makeRepository(folder, { increments: 1, compress: true });
    const { duplicity } = makeBench(folder).config;
    const bench = makeBench(folder, { duplicity: { ...duplicity, engine: "external" } });
    const report = await bench.publish();
    expect(report.sets.every((set) => set.entryCount > 0)).toBe(true);
    expect((await check(bench)).lineage).toHaveLength(2);
  });

  it("appends new sets to what is published", async () => {
    const bench = makeExternal();
    const { repository } = bench.config;
    const whole = path.join(made, "repository");
    for (const count of [1, 2, 3, 4]) {
      for (const file of filesWith(whole, "")) {
        cpSync(file, path.join(repository, path.basename(file)));
      }
      keepSets(repository, count);
      const report = await bench.publish();
      expect(report).toMatchObject({ generation: count, published: "sets" });
      expect(report.sets).toHaveLength(1);
    }
    expect((await check(bench)).lineage).toEqual([FULL, FIRST, SECOND, THIRD]);
  });

  it("leaves the head alone when there is nothing new, until half of its life is over", async () => {
    const bench = makeExternal();
    await bench.publish();
    const head = readFileSync(path.join(bench.config.publication, "head"));
    expect(await bench.publish()).toMatchObject({ generation: 1, published: "nothing", sets: [] });
    expect(readFileSync(path.join(bench.config.publication, "head"))).toEqual(head);
    const before = readHead(bench.config.publication);
    bench.runtime.offsetMs = bench.config.headLifetimeMs * 0.51;
    expect(await bench.publish()).toMatchObject({ generation: 2, published: "refresh", sets: [] });
    const after = readHead(bench.config.publication);
    expect(after).toEqual({
      ...before,
      generation: 2,
      publishedAt: after.publishedAt,
      expiresAt: after.publishedAt + bench.config.headLifetimeMs,
    });
    expect(after.publishedAt).toBeGreaterThan(before.publishedAt);
  });

  it("publishes the winner of a fork after its loser", async () => {
    const bench = makeExternal();
    const { repository } = bench.config;
    keepSets(repository, 3);
    await bench.publish();
    const other = fastTemporaryFolder();
    copyRepository(made, other);
    keepSets(path.join(other, "repository"), 2);
    writeTimed(path.join(other, "tree"), "fork", "another way", 1_650_000_000);
    backUpTo({ folder: other, time: FIRST_SET_TIME + 2 * DAY_SECONDS + 500 });
    const forkName = "inc.20231115T221320Z.to.20231116T222140Z";
    for (const file of filesWith(path.join(other, "repository"), "20231116T222140Z")) {
      cpSync(file, path.join(repository, path.basename(file)));
    }
    const report = await bench.publish();
    expect(report.newest).toBe(forkName);
    const { lineage, sets } = await check(bench);
    expect(lineage).toEqual([FULL, FIRST, forkName]);
    expect(sets).toEqual([FULL, FIRST, SECOND, forkName]);
  });

  it("refuses a repository whose published manifest changed", async () => {
    const bench = makeExternal();
    await bench.publish();
    const [manifest = ""] = filesWith(bench.config.repository, `${TIME_OF_SECOND}.manifest`);
    appendFileSync(manifest, "\n");
    await expectInvalid(bench.publish(), SECOND);
    expect(readHead(bench.config.publication).generation).toBe(1);
  });

  it("refuses a repository from whose active chain a published set vanished", async () => {
    const bench = makeExternal();
    await bench.publish();
    for (const file of filesWith(bench.config.repository, TIME_OF_FIRST)) rmSync(file);
    await expectInvalid(bench.publish(), FIRST);
  });

  it("refuses a repository that lost all its sets", async () => {
    const bench = makeExternal();
    await bench.publish();
    for (const file of filesWith(bench.config.repository, "duplicity")) rmSync(file);
    await expect(bench.publish()).rejects.toMatchObject({ code: "REPOSITORY_INVALID" });
    expect(readHead(bench.config.publication).generation).toBe(1);
  });

  it("publishes what lies before a set with a damaged volume, and says which", async () => {
    const bench = makeExternal();
    const { repository, publication } = bench.config;
    const [volume = ""] = filesWith(repository, `${TIME_OF_SECOND}.vol1`);
    const bytes = readFileSync(volume);
    bytes[bytes.length - 1] = 1 + (bytes.at(-1) ?? 0);
    writeFileSync(volume, bytes);
    await expectInvalid(bench.publish(), SECOND);
    expect(readHead(publication).newest.set).toEqual({
      kind: "increment",
      from: FIRST_SET_TIME,
      time: FIRST_SET_TIME + DAY_SECONDS,
    });
    cpSync(path.join(made, "repository", path.basename(volume)), volume);
    expect((await bench.publish()).newest).toBe(THIRD);
    expect((await check(bench)).lineage).toEqual([FULL, FIRST, SECOND, THIRD]);
  });

  it("publishes what lies before a set that lost a volume", async () => {
    const bench = makeExternal();
    for (const file of filesWith(bench.config.repository, `${TIME_OF_SECOND}.vol1`)) rmSync(file);
    await expectInvalid(bench.publish(), "volume 1");
    expect((await check(bench)).lineage).toEqual([FULL, FIRST]);
  });

  it("waits for a manifest that is still being written, but not for ever", async () => {
    const bench = makeExternal();
    const [manifest = ""] = filesWith(bench.config.repository, `${TIME_OF_SECOND}.manifest`);
    truncateSync(manifest, 100);
    expect(await bench.publish()).toMatchObject({ newest: FIRST, waiting: [SECOND] });
    bench.runtime.offsetMs = 60_000;
    await expect(bench.publish()).rejects.toMatchObject({ code: "REPOSITORY_INVALID" });
    expect((await check(bench)).lineage).toEqual([FULL, FIRST]);
  });

  it("does not see a set without a manifest", async () => {
    const bench = makeExternal();
    for (const file of filesWith(bench.config.repository, `${TIME_OF_FIRST}.manifest`)) {
      rmSync(file);
    }
    expect(await bench.publish()).toMatchObject({ newest: FULL, waiting: [] });
  });

  it("does not publish plain files that are named as encrypted ones", async () => {
    const bench = makeExternal();
    for (const file of filesWith(bench.config.repository, "duplicity")) {
      renameSync(file, `${file}.gpg`);
    }
    await expect(bench.publish()).rejects.toBeInstanceOf(MirrorError);
  });

  it("begins packs of their own for sets of another shape", async () => {
    const bench = makeExternal();
    const { config } = bench;
    keepSets(config.repository, 2);
    await bench.publish();
    for (const file of filesWith(path.join(made, "repository"), "")) {
      cpSync(file, path.join(config.repository, path.basename(file)));
    }
    const other = { ...config, shares: { k: 3, n: 5 } };
    await bench.publish({ config: other });
    expect((await check(bench)).lineage).toEqual([FULL, FIRST, SECOND, THIRD]);
  });

  it("refuses to go on with a ledger that was damaged", async () => {
    const bench = makeExternal();
    await bench.publish();
    const { session } = readHead(bench.config.publication);
    const ledger = path.join(bench.config.publication, `ledger/${session}/20231114T221320Z.jsonl`);
    truncateSync(ledger, 10);
    await expect(bench.publish()).rejects.toMatchObject({ code: "LEDGER_INVALID" });
  });

  it("begins a new session when the head is gone", async () => {
    const bench = makeExternal();
    const { session } = await bench.publish();
    rmSync(path.join(bench.config.publication, "head"));
    const report = await bench.publish();
    expect(report.session).not.toBe(session);
    expect(report.generation).toBe(1);
    expect((await check(bench)).lineage).toEqual([FULL, FIRST, SECOND, THIRD]);
  });
});
