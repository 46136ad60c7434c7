import fs from "node:fs";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { compareTreePaths, toTreePath } from "../../src/bytes/tree-path.js";
import { ConfinedTree } from "../../src/disk/confined.js";
import { scanTree } from "../../src/disk/scan.js";
import { temporaryFolder } from "../support/temporary.js";

function openTree() {
  const folder = temporaryFolder();
  const tree = ConfinedTree.open(folder);
  onTestFinished(() => tree.close());
  return { folder, tree };
}

it("gives every entry in index order, the root first", () => {
  const { tree } = openTree();
  const names = ["a", "a b", "a-", "a.b", "aa", "\x01", "\x7f", "\xc3\xa4", "\xff", "Z"];
  for (const name of names) {
    tree.ensureDirectory(toTreePath(name));
    for (const below of names) tree.writeFile(toTreePath(`${name}/${below}`), Buffer.of());
  }

  const found = [...scanTree(tree)].map(({ path: one }) => one);

  expect(found).toHaveLength(1 + names.length + names.length ** 2);
  expect(found[0]).toBe("");
  expect(found).toEqual([...found].sort(compareTreePaths));
});

it("begins after any path, whether that is there or not", () => {
  const { tree } = openTree();
  const names = ["a", "a-", "a.b", "b", "\xff"];
  for (const one of names) {
    for (const other of names) tree.ensureDirectory(toTreePath(`${one}/${other}/c`));
  }
  const all = [...scanTree(tree)].map(({ path: one }) => one);

  for (const after of [...all, toTreePath("a/a/b"), toTreePath("a/a/c/d"), toTreePath("0")]) {
    const found = [...scanTree(tree, { after })].map(({ path: one }) => one);
    expect(found).toEqual(all.filter((one) => compareTreePaths(one, after) > 0));
  }
});

it("does not follow symlinks, and tells what each entry is", () => {
  const { tree, folder } = openTree();
  fs.symlinkSync("/", path.join(folder, "link"));
  fs.writeFileSync(path.join(folder, "file"), "12345");

  const found = [...scanTree(tree)].map(({ path: one, stat }) => [
    one,
    stat.isSymbolicLink(),
    stat.isFile() ? stat.size : 0,
  ]);

  expect(found).toEqual([
    ["", false, 0],
    ["file", false, 5],
    ["link", true, 0],
  ]);
});

it("leaves out what it is told to skip, with all below", () => {
  const { tree } = openTree();
  for (const name of ["a/b/c", "a/d", "e"]) tree.ensureDirectory(toTreePath(name));

  const found = [...scanTree(tree, { skip: (one) => one === "a/b" })].map(({ path: one }) => one);

  expect(found).toEqual(["", "a", "a/d", "e"]);
});

it("leaves out what vanishes meanwhile", () => {
  const { tree } = openTree();
  for (const name of ["a/b", "c/d", "e"]) tree.ensureDirectory(toTreePath(name));

  const found: string[] = [];
  for (const { path: one } of scanTree(tree)) {
    found.push(one);
    tree.removeTree(toTreePath("c"));
    if (one === "a") tree.removeTree(toTreePath("a"));
  }

  expect(found).toEqual(["", "a", "e"]);
});
