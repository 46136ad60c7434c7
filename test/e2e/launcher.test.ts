import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { MAIN } from "../support/cli.js";
import { fastTemporaryFolder } from "../support/temporary.js";

describe("the launcher", () => {
  test("starts the command by its own name, with the flags that it has for node", async () => {
    const { stdout } = await execa(MAIN, ["--version"], { stdin: "ignore" });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("finds code of this node beside every bundle", () => {
    const folder = copyCommand();
    const bundles = readdirSync(folder).filter(
      (name) => name.endsWith(".js") && name !== "main.js",
    );
    expect(readdirSync(codeFolder(folder)).toSorted()).toEqual(bundles.toSorted());
  });

  test("does without the code that V8 made", async () => {
    const folder = copyCommand();
    rmSync(codeFolder(folder), { recursive: true });
    await expectStarts(folder);
  });

  test("leaves code alone that is cut off or damaged", async () => {
    const folder = copyCommand();
    const code = path.join(codeFolder(folder), "command.js");
    const whole = readFileSync(code);
    for (const size of [0, 3, 4, 1000, whole.length - 1]) {
      truncateSync(code, size);
      await expectStarts(folder);
      writeFileSync(code, whole);
    }
    for (const at of [0, 8, 20, 100, Math.floor(whole.length / 2), whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      writeFileSync(code, damaged);
      await expectStarts(folder);
    }
  });

  test("leaves code alone that is of another source", async () => {
    const folder = copyCommand();
    const bundle = path.join(folder, "command.js");
    const source = readFileSync(bundle, "utf8");
    // As long as before: V8 compares no more than that.
    writeFileSync(bundle, source.replace("Follow a master tree", "FOLLOW A MASTER TREE"));
    const { stdout } = await start(folder, "--help");
    expect(stdout).toContain("FOLLOW A MASTER TREE");
  });
});

function copyCommand(): string {
  const folder = fastTemporaryFolder();
  cpSync(path.dirname(MAIN), folder, { recursive: true });
  return folder;
}

function codeFolder(folder: string): string {
  return path.join(folder, `${process.version}-${process.arch}`);
}

async function expectStarts(folder: string): Promise<void> {
  expect(await start(folder, "--version")).toMatchObject({ exitCode: 0, stderr: "" });
}

function start(folder: string, word: string) {
  const main = path.join(folder, "main.js");
  return execa(process.execPath, [main, word], { reject: false, stdin: "ignore" });
}
