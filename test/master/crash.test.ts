import { cpSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, lastingFolder, removeFolder } from "../support/temporary.js";
import { checkPublication } from "./support/check-publication.js";
import { Died, disk, restart } from "./support/faulty-disk.js";
import { type Bench, makeBench, makeHosts } from "./support/master-bench.js";
import {
  copyRepository,
  filesWith,
  keepSets,
  makeRepository,
  NO_DUPLICITY,
} from "./support/repositories.js";

vi.mock(import("../../src/disk/durable.js"), async (importReal) => {
  const { makeFaulty } = await import("./support/faulty-disk.js");
  return makeFaulty(await importReal());
});

/** How often a test lets the master die. */
const DEATHS = 20;

/** A machine that does other things too may take long. */
const TIMEOUT_MS = process.env["SLOW"] === undefined ? 120_000 : 1_800_000;

describe.skipIf(NO_DUPLICITY)(`a master that dies ${NO_DUPLICITY ?? ""}`, () => {
  const made = lastingFolder();
  const random = new Random();
  beforeAll(() => makeRepository(made, { increments: 2, files: 40 }));
  afterAll(() => removeFolder(made));
  beforeEach(() => restart());

  const shareHosts = [0, 1, 2];
  const check = async (bench: Bench, folders: readonly string[], shares?: readonly number[]) =>
    await checkPublication({
      folders,
      ...(shares === undefined ? {} : { shares }),
      repository: bench.config.repository,
      random,
    });

  /** Steps from 1 to `count`, spread over the whole cycle; all of them when SLOW is set. */
  function chooseSteps(count: number): number[] {
    const stride = process.env["SLOW"] === undefined ? Math.ceil(count / DEATHS) : 1;
    const first = 1 + random.below(stride);
    const steps = Array.from({ length: count }, (_, position) => first + position * stride);
    return steps.filter((step) => step <= count);
  }

  /** Publishes the full set, and leaves two increments to be published. */
  async function begin(withHosts: boolean): Promise<Bench & { readonly folder: string }> {
    restart();
    const folder = fastTemporaryFolder();
    copyRepository(made, folder);
    const { duplicity } = makeBench(folder).config;
    const hosts = withHosts ? makeHosts(folder, 3) : [];
    const bench = makeBench(folder, { hosts, duplicity: { ...duplicity, engine: "external" } });
    keepSets(bench.config.repository, 1);
    await bench.publish();
    for (const file of filesWith(path.join(made, "repository"), "")) {
      cpSync(file, path.join(bench.config.repository, path.basename(file)));
    }
    return { ...bench, folder };
  }

  /** How many disk steps the cycle after `begin` makes. */
  async function countSteps(withHosts: boolean): Promise<number> {
    const bench = await begin(withHosts);
    restart();
    await bench.publish();
    return disk.steps;
  }

  it(
    `publishes whole generations only, whichever step it dies in (seed ${random.seed})`,
    async () => {
      const count = await countSteps(false);
      expect(count).toBeGreaterThan(20);
      for (const dieAt of chooseSteps(count)) {
        const bench = await begin(false);
        const { publication } = bench.config;
        restart(dieAt);
        await expect(bench.publish()).rejects.toThrow(Died);
        const after = await check(bench, [publication]);
        expect([1, 3]).toContain(after.lineage.length);
        restart();
        await bench.publish();
        const { lineage, head } = await check(bench, [publication]);
        expect(lineage).toHaveLength(3);
        expect(head.generation).toBe(2);
      }
    },
    TIMEOUT_MS,
  );

  it(
    `leaves hosts that any k of give the whole, whichever step it dies in (seed ${random.seed})`,
    async () => {
      const count = await countSteps(true);
      for (const dieAt of chooseSteps(count)) {
        const bench = await begin(true);
        const folderOf = (share: number): string => path.join(bench.folder, `host-${share}`);
        restart(dieAt);
        await expect(bench.publish()).rejects.toThrow(Died);
        for (const share of shareHosts) {
          const others = shareHosts.filter((other) => other !== share);
          const folders = [share, ...others].map(folderOf);
          expect([1, 3]).toContain((await check(bench, folders)).lineage.length);
        }
        restart();
        await bench.publish();
        const head = readFileSync(path.join(bench.config.publication, "head"));
        for (const share of shareHosts) {
          expect(readFileSync(path.join(folderOf(share), "head"))).toEqual(head);
        }
        expect((await check(bench, shareHosts.map(folderOf))).lineage).toHaveLength(3);
      }
    },
    TIMEOUT_MS,
  );

  it(
    `begins its first publication again (seed ${random.seed})`,
    async () => {
      for (const dieAt of chooseSteps(60)) {
        restart();
        const folder = fastTemporaryFolder();
        copyRepository(made, folder);
        const { duplicity } = makeBench(folder).config;
        const bench = makeBench(folder, { duplicity: { ...duplicity, engine: "external" } });
        restart(dieAt);
        await bench.publish().catch(() => undefined);
        restart();
        await bench.publish();
        const { lineage, head } = await check(bench, [bench.config.publication]);
        expect(lineage).toHaveLength(3);
        expect(head.generation).toBe(1);
      }
    },
    TIMEOUT_MS,
  );
});
