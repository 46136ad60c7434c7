import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { liveOneStep, makeTree } from "../support/trees.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { compileSources } from "./support/compiled.js";
import { type Bench, makeBench } from "./support/master-bench.js";
import { NO_DUPLICITY } from "./support/repositories.js";

/** Long enough for a whole cycle on a slow machine, short enough to hit its parts. */
const CYCLE_MS = 1500;
const KILLS = 12;

const PROGRAM = `
import { readFileSync } from "node:fs";
import { publishOnce } from "./master/cycle.js";
const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const nothing = () => undefined;
const runtime = {
  clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  random: Math.random,
  progress: nothing,
};
process.stdout.write("begun");
await publishOnce({ config, runtime, signal: new AbortController().signal });
`;

describe.skipIf(NO_DUPLICITY)(`a master killed at any moment ${NO_DUPLICITY ?? ""}`, () => {
  let compiled = "";
  beforeAll(() => {
    compiled = compileSources();
    writeFileSync(path.join(compiled, "publish.js"), PROGRAM);
  });
  afterAll(() => removeFolder(compiled));

  async function startCycle(bench: Bench): Promise<ChildProcess> {
    const file = path.join(bench.config.stateDirectory, "..", "config.json");
    writeFileSync(file, JSON.stringify(bench.config));
    const program = path.join(compiled, "publish.js");
    const child = spawn(process.execPath, [program, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    return child;
  }

  async function killAfter(child: ChildProcess, delayMs: number): Promise<void> {
    const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
    await once(child, "exit");
    clearTimeout(timer);
  }

  const random = new Random();
  it(`is finished by the next cycle (seed ${random.seed})`, async () => {
    const bench = makeBench(fastTemporaryFolder());
    const { tree, publication, repository } = bench.config;
    const paths = makeTree(tree, { files: 400, meanSizeBytes: 15_000 });
    const check = async () =>
      await checkPublication({ folders: [publication], repository, random });
    let generation = 0;
    for (let step = 1; step <= KILLS; step++) {
      await killAfter(await startCycle(bench), random.below(CYCLE_MS));
      if (existsSync(path.join(publication, "head"))) {
        const { head } = await check();
        expect(head.generation).toBeGreaterThanOrEqual(generation);
        generation = readHead(publication).generation;
      }
      liveOneStep(tree, paths, step);
    }
    const report = await bench.publish();
    const { head, lineage } = await check();
    expect(head.generation).toBeGreaterThan(generation);
    expect(report.withheld).toEqual([]);
    expect(lineage.at(-1)).toBe(report.newest);
  }, 120_000);
});
