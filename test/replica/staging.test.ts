import { existsSync, mkdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ConfinedTree } from "../../src/disk/confined.js";
import { closeStaging, openStaging } from "../../src/replica/staging.js";
import { touchedDirectories } from "../../src/replica/touched.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { ATTRIBUTES, paths } from "./support/entries.js";

describe("the working folder", () => {
  test("comes and goes without a trace in the root's time", () => {
    const { root, tree } = makeTree();
    openStaging(tree, { isKept: false });
    expect(existsSync(`${root}/.dupmirror/stage`)).toBe(true);
    closeStaging(tree);
    expect(existsSync(`${root}/.dupmirror`)).toBe(false);
    expect(statSync(root).mtimeMs).toBe(5_000_000);
  });

  test("is emptied of what a build left, and keeps the time from before that", () => {
    const { root, tree } = makeTree();
    openStaging(tree, { isKept: false });
    writeFileSync(`${root}/.dupmirror/stage/left`, "left");
    openStaging(tree, { isKept: false });
    expect(existsSync(`${root}/.dupmirror/stage/left`)).toBe(false);
    closeStaging(tree);
    expect(statSync(root).mtimeMs).toBe(5_000_000);
  });

  test("goes when somebody else made it, as whatever, and nothing is followed out of it", () => {
    const { root, tree } = makeTree();
    const outside = fastTemporaryFolder();
    writeFileSync(`${outside}/kept`, "kept");
    symlinkSync(outside, `${root}/.dupmirror`);
    closeStaging(tree);
    expect(existsSync(`${root}/.dupmirror`)).toBe(false);
    mkdirSync(`${root}/.dupmirror`);
    symlinkSync(outside, `${root}/.dupmirror/stage`);
    openStaging(tree, { isKept: false });
    expect(statSync(`${root}/.dupmirror/stage`).isDirectory()).toBe(true);
    closeStaging(tree);
    expect(existsSync(`${outside}/kept`)).toBe(true);
  });

  test("leaves the time that its caller knows", () => {
    const { root, tree } = makeTree();
    closeStaging(tree, 77);
    expect(statSync(root).mtimeMs).toBe(77_000);
  });
});

describe("touched directories", () => {
  const local = { type: "directory", mode: 0o750, uid: 1, gid: 2, mtime: 3, sizeBytes: 0 } as const;
  const rules = {
    ownerOf: () => ({ uid: 8, gid: 9 }),
    isProtected: () => false,
    isWanted: () => true,
    rankOf: () => undefined,
  };

  test("get what their entry says, or keep what they have, in index order", () => {
    const [entry, kept, gone, file] = paths("b", "a", "gone", "file");
    const directories = entry === undefined ? [] : [{ path: entry, attributes: ATTRIBUTES }];
    const touched = [gone, file, kept, entry].filter((path) => path !== undefined);
    const lookup = (path: string) => {
      if (path === "gone") return undefined;
      return path === "file" ? ({ ...local, type: "file" } as const) : local;
    };
    expect(touchedDirectories(directories, touched, lookup, rules)).toEqual([
      { path: "a", mode: 0o750, mtime: 3 },
      { path: "b", mode: 0o644, mtime: 1000, uid: 8, gid: 9 },
    ]);
  });
});

function makeTree(): { readonly root: string; readonly tree: ConfinedTree } {
  const root = `${fastTemporaryFolder()}/tree`;
  mkdirSync(root);
  utimesSync(root, 5000, 5000);
  return { root, tree: ConfinedTree.open(root) };
}
