import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { chooseSizes, size } from "../../bench/support/sizes.mjs";

const RUN = fileURLToPath(new URL("../../bench/run.mjs", import.meta.url));

async function bench(...words: readonly string[]) {
  return execa(process.execPath, [RUN, ...words], { reject: false, stdin: "ignore" });
}

test("the scenarios that are asked for are listed with their sizes", async () => {
  const { stdout, exitCode } = await bench(
    "--list",
    "--only",
    "tree-size",
    "--tree-files",
    "10,20",
  );
  expect(stdout).toMatch(/^tree-size: .+ \(tree-files 10 20, rounds \d+\)$/);
  expect(exitCode).toBe(0);
});

test("an unknown scenario, size or option is refused with those that there are", async () => {
  const scenario = await bench("--only", "tree-sizes");
  expect(scenario).toMatchObject({ exitCode: 2, stdout: "" });
  expect(scenario.stderr).toMatch(/^bench: --only: no scenario tree-sizes; there are .*tree-size/);
  const number = await bench("--only", "tree-size", "--rounds", "many");
  expect(number).toMatchObject({ exitCode: 2, stdout: "" });
  expect(number.stderr).toBe('bench: --rounds: expected a whole number, got "many"');
  expect(await bench("--fiels", "10")).toMatchObject({ exitCode: 2, stdout: "" });
});

test("sizes are those of the scale, but for what is given", () => {
  const sizes = { files: size(1, 2, 3), counts: size([1], [1, 10]), place: size("memory", "disk") };
  expect(chooseSizes({ sizes }, "quick", {})).toEqual({ files: 1, counts: [1], place: "memory" });
  expect(chooseSizes({ sizes }, "full", { counts: "5,6", unknown: "7" })).toEqual({
    files: 3,
    counts: [5, 6],
    place: "disk",
  });
});
