/** Whatever stands in the tree, and whoever changes it meanwhile: nothing outside the root changes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { type TreePath, toTreePath } from "../../src/bytes/tree-path.js";
import { ConfinedTree } from "../../src/disk/confined.js";
import { MirrorError } from "../../src/errors.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import "./matchers.js";

const NEW = { mode: 0o4777, mtime: 12345 };

/** Everything that changes a tree, at one path. */
const ACTIONS: Readonly<Record<string, (tree: ConfinedTree, at: TreePath) => unknown>> = {
  makeDirectory: (tree, at) => tree.makeDirectory(at, 0o777),
  ensureDirectory: (tree, at) => tree.ensureDirectory(at),
  writeFile: (tree, at) => tree.writeFile(at, Buffer.from("written"), NEW),
  createFile: (tree, at) => fs.closeSync(tree.createFile(at)),
  openFile: (tree, at) => fs.closeSync(tree.openFile(at)),
  symlink: (tree, at) => tree.symlink("somewhere", at),
  renameTo: (tree, at) => tree.rename(toTreePath("spare"), at),
  renameFrom: (tree, at) => tree.rename(at, toTreePath("taken")),
  unlink: (tree, at) => tree.unlink(at),
  removeDirectory: (tree, at) => tree.removeDirectory(at),
  removeDirectoryIfEmpty: (tree, at) => tree.removeDirectoryIfEmpty(at),
  removeTree: (tree, at) => tree.removeTree(at),
  setAttributes: (tree, at) => tree.setAttributes(at, NEW),
  setDirectoryAttributes: (tree, at) => tree.setDirectoryAttributes(at, NEW),
  list: (tree, at) => tree.list(at),
};

interface Scene {
  readonly tree: ConfinedTree;
  readonly root: string;
  readonly outside: string;
  /** Everything outside, as it is now. */
  readonly look: () => readonly string[];
}

/** A tree with `spare` in it, beside a folder that must not change. */
function makeScene(): Scene {
  const folder = fastTemporaryFolder();
  const root = path.join(folder, "root");
  const outside = path.join(folder, "outside");
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(root, "spare"), "spare");
  fs.mkdirSync(path.join(outside, "d", "empty"), { recursive: true });
  fs.writeFileSync(path.join(outside, "f"), "precious");
  fs.writeFileSync(path.join(outside, "d", "f"), "precious");
  const tree = ConfinedTree.open(root);
  onTestFinished(() => tree.close());
  return { tree, root, outside, look: () => describeFolder(outside) };
}

function describeFolder(folder: string): string[] {
  return ["", ...fs.readdirSync(folder, { recursive: true, encoding: "utf8" })]
    .sort()
    .map((name) => {
      const stat = fs.lstatSync(path.join(folder, name), { bigint: true });
      return [name, stat.mode, stat.uid, stat.size, stat.mtimeNs, stat.ino].join(" ");
    });
}

/** What is refused is as good as what does nothing. */
function attempt(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(MirrorError);
  }
}

describe("a symlink out of the tree", () => {
  it.each(Object.keys(ACTIONS))("is not followed by %s as a directory", (action) => {
    const { tree, root, outside, look } = makeScene();
    fs.symlinkSync(outside, path.join(root, "link"));
    fs.symlinkSync("../outside", path.join(root, "relative"));
    const before = look();

    for (const link of ["link", "relative"]) {
      for (const below of ["f", "new", "d", "d/f", "d/empty", "d/new", "new/new"]) {
        attempt(() => ACTIONS[action]?.(tree, toTreePath(`${link}/${below}`)));
      }
    }

    expect(look()).toEqual(before);
    expect(fs.readlinkSync(path.join(root, "link"))).toBe(outside);
  });

  it.each(Object.keys(ACTIONS))("is not followed by %s at the end of a path", (action) => {
    const { tree, root, outside, look } = makeScene();
    fs.symlinkSync(outside, path.join(root, "folder"));
    fs.symlinkSync(path.join(outside, "f"), path.join(root, "file"));
    fs.symlinkSync(path.join(outside, "new"), path.join(root, "dangling"));
    const before = look();

    for (const link of ["folder", "file", "dangling"]) {
      attempt(() => ACTIONS[action]?.(tree, toTreePath(link)));
    }

    expect(look()).toEqual(before);
  });

  it("is removed itself, and nothing behind it", () => {
    const { tree, root, outside, look } = makeScene();
    fs.mkdirSync(path.join(root, "d"));
    fs.symlinkSync(outside, path.join(root, "d", "link"));
    const before = look();

    expect(tree.removeTree(toTreePath("d"))).toBe(true);
    expect(look()).toEqual(before);
    expect(fs.readdirSync(root)).toEqual(["spare"]);
  });

  it("gets its own time", () => {
    const { tree, root, outside } = makeScene();
    fs.symlinkSync(path.join(outside, "f"), path.join(root, "l"));

    tree.setAttributes(toTreePath("l"), { mode: 0o777, mtime: 99 });

    expect(fs.lstatSync(path.join(root, "l")).mtimeMs).toBe(99_000);
  });

  it("hides what seems to be below it", () => {
    const { tree, root, outside } = makeScene();
    fs.symlinkSync(outside, path.join(root, "link"));

    expect(tree.lstat(toTreePath("link/f"))).toBeUndefined();
    expect(() => tree.list(toTreePath("link"))).toThrowCode("TREE_DIVERGED");
    expect(() => tree.readLink(toTreePath("link/f"))).toThrowCode("TREE_DIVERGED");
  });
});

describe("a directory that is swapped for a symlink", () => {
  it.each(Object.keys(ACTIONS))("after it was used, misleads not even %s", (action) => {
    const { tree, root, outside, look } = makeScene();
    fs.mkdirSync(path.join(root, "a", "d"), { recursive: true });
    tree.writeFile(toTreePath("a/d/f"), Buffer.from("known"));
    fs.renameSync(path.join(root, "a"), path.join(root, "b"));
    fs.symlinkSync(outside, path.join(root, "a"));
    const before = look();

    for (const below of ["f", "new", "d", "d/f", "d/empty", "d/new"]) {
      attempt(() => ACTIONS[action]?.(tree, toTreePath(`a/${below}`)));
    }

    expect(look()).toEqual(before);
  });

  it("all the time, by somebody else, leads nobody out", async () => {
    const { root, outside, look } = makeScene();
    fs.mkdirSync(path.join(root, "a", "d"), { recursive: true });
    const before = look();
    const swapper = spawn(process.execPath, ["--eval", SWAP, root, outside], { stdio: "pipe" });
    onTestFinished(() => void swapper.kill("SIGKILL"));
    await once(swapper.stdout, "data");

    for (let round = 0; round < 150; round++) {
      const tree = ConfinedTree.open(root);
      for (const action of Object.values(ACTIONS)) {
        for (const below of ["a/f", "a/d", "a/d/f", "a/d/new", "a"]) {
          attempt(() => action(tree, toTreePath(below)));
        }
      }
      attempt(() => tree.ensureDirectory(toTreePath("a/d")));
      tree.close();
    }
    swapper.kill("SIGKILL");
    await once(swapper, "close");

    expect(look()).toEqual(before);
  });
});

/** `a` is a directory, then a symlink to the outside, then a directory, until the end. */
const SWAP = `
  const fs = require("node:fs");
  const [root, outside] = process.argv.slice(1);
  const attempt = (act) => { try { act(); } catch {} };
  process.stdout.write("ready");
  for (;;) {
    attempt(() => fs.renameSync(root + "/a", root + "/aside"));
    attempt(() => fs.symlinkSync(outside, root + "/a"));
    attempt(() => fs.unlinkSync(root + "/a"));
    attempt(() => fs.mkdirSync(root + "/aside"));
    attempt(() => fs.renameSync(root + "/aside", root + "/a"));
    attempt(() => fs.mkdirSync(root + "/a/d"));
  }
`;

describe("any order of changes", () => {
  const NAMES = ["a", "b", "out", "up"];
  const paths = fc
    .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 })
    .map((names) => toTreePath(names.join("/")));
  const steps = fc.array(
    fc.oneof(
      fc.tuple(fc.constantFrom(...Object.keys(ACTIONS)), paths, paths),
      fc.tuple(fc.constantFrom("linkOut", "linkUp", "move", "forgetful"), paths, paths),
    ),
    { maxLength: 60 },
  );

  it("stays inside, with symlinks that lead out everywhere", () => {
    const { tree, root, outside, look } = makeScene();
    const before = look();
    const more: typeof ACTIONS = {
      linkOut: (_, at) => tree.symlink(outside, at),
      linkUp: (_, at) => tree.symlink("../outside", at),
    };

    fc.assert(
      fc.property(steps, (list) => {
        for (const [action, at, to] of list) {
          if (action === "move") attempt(() => tree.rename(at, to));
          else if (action === "forgetful") removeBehindItsBack(root, at);
          else attempt(() => (ACTIONS[action] ?? more[action])?.(tree, at));
        }
        expect(look()).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });
});

/** What somebody else may do, unless a symlink above `at` would lead him out of the tree himself. */
function removeBehindItsBack(root: string, at: string): void {
  const parts = at.split("/").slice(0, -1);
  const isPlain = parts.every((_, number) => {
    const above = path.join(root, ...parts.slice(0, number + 1));
    return fs.lstatSync(above, { throwIfNoEntry: false })?.isDirectory() === true;
  });
  if (isPlain) fs.rmSync(path.join(root, at), { recursive: true, force: true });
}
