import { chmodSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { compareTrees } from "../../src/cli/compare-trees.js";
import { changeDemoTree, countTree, makeDemoTree } from "../../src/cli/demo-tree.js";
import { temporaryFolder } from "../support/temporary.js";

describe("the demo's tree", () => {
  it("is the same each time, and changes in the same way", () => {
    const [a, b] = [temporaryFolder(), temporaryFolder()];
    for (const folder of [a, b]) makeDemoTree(folder);
    expect(countTree(a).files).toBeGreaterThan(3000);
    expect(differences(a, b)).toEqual([]);
    changeDemoTree(a, 1);
    expect(differences(a, b).length).toBeGreaterThan(30);
    changeDemoTree(b, 1);
    expect(differences(a, b)).toEqual([]);
  });
});

describe("compareTrees", () => {
  it("finds content, size, mode, time, type, and what is on one side only", () => {
    const [a, b] = [temporaryFolder(), temporaryFolder()];
    for (const folder of [a, b]) {
      for (const name of ["content", "size", "mode", "time", "same"]) put(folder, name, "1234");
    }
    put(b, "content", "1235");
    put(b, "size", "12345");
    chmodSync(path.join(b, "mode"), 0o600);
    utimesSync(path.join(b, "time"), 1, 5);
    put(a, "left", "");
    put(b, "right", "");
    put(a, "type", "");
    mkdirSync(path.join(b, "type"));
    expect(differences(a, b)).toEqual(
      ["content", "left", "mode", "right", "size", "time", "type"].sort(),
    );
  });
});

/** Of what is not a directory on both sides: their times are of now. */
function differences(a: string, b: string): string[] {
  const isDirectory = (folder: string, place: string): boolean =>
    statSync(path.join(folder, place), { throwIfNoEntry: false })?.isDirectory() ?? false;
  return compareTrees(a, b)
    .filter((place) => !isDirectory(a, place) || !isDirectory(b, place))
    .sort();
}

function put(folder: string, name: string, text: string): void {
  writeFileSync(path.join(folder, name), text);
  utimesSync(path.join(folder, name), 1, 1);
}
