import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { type CliResult, dupmirror, expectRefusal } from "../support/cli.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { liveOneStep, makeTree, timeOfStep, writeTimed } from "../support/trees.js";
import { makeMaster, makeReplica, publish, type Replica, sync } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const FILES = process.env["SLOW"] === undefined ? 1500 : 20_000;
const IS_ROOT = process.getuid?.() === 0;
/** The largest stripe, stored. */
const STRIPE_BYTES = 1024 * 1024;

describeWithDuplicity("verify", () => {
  test(`finds 50 damaged objects among ${FILES}, and mends them with what they need`, async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: FILES, meanSizeBytes: 2000 });
    for (let at = 0; at < 10; at++) symlinkSync(`file-${at}`, path.join(tree, `link-${at}`));
    writeTimed(tree, "index", "last", timeOfStep(0));
    const master = await makeMaster(folder, { tree });
    await publish(master);
    for (const step of [1, 2]) {
      liveOneStep(tree, files, step);
      await publish(master);
    }
    const more = IS_ROOT ? { owners: "numeric" } : {};
    const replica = makeReplica(path.join(folder, "replica"), { ...master, more });
    await sync(replica);
    expect(await verify(replica)).toMatchObject({ exitCode: 0, report: { damaged: 0 } });

    const damaged = damage(replica.tree, new Random());
    expect(damaged.length).toBeGreaterThanOrEqual(50);
    const { exitCode, report } = await verify(replica);
    expect(exitCode).toBe(1);
    const found = report.findings.map(({ kind, path: at }) => `${kind} ${at}`);
    expect(found).toEqual(expect.arrayContaining(damaged));
    // Besides, only the times of what was written to and of the folders that were worked in.
    const others = found.filter((one) => !damaged.includes(one));
    expect(others.filter((one) => !one.startsWith("mtime "))).toEqual([]);

    const repaired = await verify(replica, "--repair");
    expect(repaired).toMatchObject({ exitCode: 0, report: { damaged: report.damaged } });
    expect(repaired.report.bytes["blocks"]).toBeLessThan(3 * STRIPE_BYTES * damaged.length);
    expect(compareTrees(tree, replica.tree)).toEqual([]);
    expect(await verify(replica)).toMatchObject({ exitCode: 0, report: { damaged: 0 } });
  });

  test("tells what differs and what to do, in lines and by the exit status", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    makeTree(tree, { files: 60 });
    const master = await makeMaster(folder, { tree });
    const replica = makeReplica(path.join(folder, "replica"), master);
    await publish(master);
    const before = await dupmirror(["replica", "verify", "-c", replica.configFile]);
    expectRefusal(before, { exitCode: 2, message: /run replica sync first/ });
    await sync(replica);
    rmSync(path.join(replica.tree, "index"), { force: true });
    writeFileSync(path.join(replica.tree, "part-0/extra"), "");
    const checked = await dupmirror(["replica", "verify", "-c", replica.configFile]);
    expect(checked.stdout.split("\n")).toContain("extra      part-0/extra");
    expectRefusal(checked, { exitCode: 1, message: /2 objects .* \(1 extra, 1 mtime\)/ });
    const quiet = await dupmirror([
      "replica",
      "verify",
      "--repair",
      "-q",
      "-c",
      replica.configFile,
    ]);
    expect(quiet).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(compareTrees(tree, replica.tree)).toEqual([]);
    const status = await dupmirror(["replica", "status", "-c", replica.configFile]);
    expect(status.stdout).toMatch(/last verify: .* objects, 2 damaged, mended/);
  });
});

const VerifyReport = z.looseObject({
  set: z.string(),
  checked: z.looseObject({ entries: z.number(), bytes: z.number() }),
  damaged: z.number(),
  findings: z.array(z.object({ kind: z.string(), path: z.string() })),
  bytes: z.record(z.string(), z.number()),
});

async function verify({ configFile }: Replica, ...words: readonly string[]) {
  const result: CliResult = await dupmirror(
    ["replica", "verify", "--json", ...words, "-c", configFile],
    { timeoutMs: 600_000 },
  );
  expect(result.stdout, result.stderr).not.toBe("");
  return { exitCode: result.exitCode, report: VerifyReport.parse(JSON.parse(result.stdout)) };
}

/** Damages of every kind at random objects; what must be found of each. */
function damage(tree: string, random: Random): string[] {
  const files = regularFiles(tree).filter((file) => statSync(path.join(tree, file)).size > 100);
  const taken = new Set<string>();
  const take = (): string => {
    for (;;) {
      const file = random.pick(files);
      if (!taken.has(file)) {
        taken.add(file);
        return file;
      }
    }
  };
  const found: string[] = [];
  for (let round = 0; round < 5; round++) {
    for (const one of DAMAGES) {
      const file = take();
      found.push(one(path.join(tree, file)).replace("%", file));
    }
    const link = `link-${round}`;
    const { mtimeMs } = lstatSync(path.join(tree, link));
    rmSync(path.join(tree, link));
    symlinkSync("elsewhere", path.join(tree, link));
    lutimesSync(path.join(tree, link), mtimeMs / 1000, mtimeMs / 1000);
    found.push(`target ${link}`);
    writeFileSync(path.join(tree, `surplus ${round}`), "not of the set");
    found.push(`extra surplus ${round}`);
  }
  mkdirSync(path.join(tree, "surplus/deep"), { recursive: true });
  found.push("extra surplus", "extra surplus/deep");
  const folders = [...new Set(files.map((file) => path.dirname(file)))].filter(
    (folder) => folder !== "." && ![...taken].some((file) => path.dirname(file) === folder),
  );
  const [gone, barred] = [folders.at(0) ?? "", folders.at(1) ?? ""];
  for (const name of readdirSync(path.join(tree, gone))) found.push(`missing ${gone}/${name}`);
  rmSync(path.join(tree, gone), { recursive: true });
  chmodSync(path.join(tree, barred), 0o711);
  return [...found, `missing ${gone}`, `mode ${barred}`];
}

/** Each does its damage to a file, and says what is to be found of it. */
const DAMAGES: readonly ((place: string) => string)[] = [
  (place) => {
    rmSync(place);
    return "missing %";
  },
  (place) => {
    keepingTime(place, () => truncateSync(place, 50));
    return "content %";
  },
  (place) => {
    keepingTime(place, () => {
      const bytes = readFileSync(place);
      bytes[60] = (bytes[60] ?? 0) ^ 1;
      writeFileSync(place, bytes);
    });
    return "content %";
  },
  (place) => {
    appendFileSync(place, "and more");
    return "content %";
  },
  (place) => {
    chmodSync(place, 0o640);
    return "mode %";
  },
  (place) => {
    utimesSync(place, 12_345, 12_345);
    return "mtime %";
  },
  (place) => {
    rmSync(place);
    mkdirSync(place);
    return "type %";
  },
  (place) => {
    rmSync(place);
    symlinkSync("/etc/passwd", place);
    return "type %";
  },
  (place) => {
    rmSync(place);
    execFileSync("mkfifo", [place]);
    return "type %";
  },
  (place) => {
    if (!IS_ROOT) {
      chmodSync(place, 0o606);
      return "mode %";
    }
    chownSync(place, 4321, 4321);
    return "owner %";
  },
];

function keepingTime(place: string, change: () => void): void {
  const { mtimeMs } = statSync(place);
  change();
  utimesSync(place, mtimeMs / 1000, mtimeMs / 1000);
}

function regularFiles(tree: string): string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(tree, path.join(entry.parentPath, entry.name)))
    .sort();
}
