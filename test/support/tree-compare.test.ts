import {
  chmodSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { fastTemporaryFolder } from "./temporary.js";
import { compareTrees, fingerprintTree } from "./tree-compare.js";

const CHANGES: readonly [string, (tree: string) => void, string[]][] = [
  ["nothing", () => undefined, []],
  ["a mode", (tree) => chmodSync(`${tree}/a/file`, 0o640), ["a/file: mode 0640, expected 0644"]],
  ["a time", (tree) => utimesSync(`${tree}/a/file`, 5, 5), ["a/file: mtime 5, expected 1000"]],
  ["a folder's time", (tree) => utimesSync(`${tree}/a`, 5, 5), ["a: mtime 5, expected 1000"]],
  ["the root's mode", (tree) => chmodSync(tree, 0o700), [".: mode 0700, expected 0755"]],
  ["a file too few", (tree) => rmSync(`${tree}/a/file`), ["a/file: missing"]],
  ["a file too many", (tree) => writeFileSync(`${tree}/a/more`, ""), ["a/more: extra"]],
  ["a link's target", (tree) => relink(tree, "else"), ["link: target else, expected file"]],
  ["a link's time, which is not compared", (tree) => lutimesSync(`${tree}/link`, 5, 5), []],
  ["a working folder, which is not compared", (tree) => mkdirSync(`${tree}/.dupmirror`), []],
  [
    "a type",
    (tree) => {
      rmSync(`${tree}/a/file`);
      mkdirSync(`${tree}/a/file`);
    },
    ["a/file: directory, expected file"],
  ],
];

test.each(CHANGES)("sees %s", (_, change, differences) => {
  const folder = fastTemporaryFolder();
  const [expected, actual] = [makeSmallTree(`${folder}/expected`), `${folder}/actual`];
  cpSync(expected, actual, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  change(actual);
  setFolderTimes(actual, differences);
  expect(compareTrees(expected, actual)).toEqual(differences);
});

test("sees one byte of a file", () => {
  const folder = fastTemporaryFolder();
  const [expected, actual] = [
    makeSmallTree(`${folder}/expected`),
    makeSmallTree(`${folder}/actual`),
  ];
  writeFileSync(`${actual}/a/file`, "Content");
  utimesSync(`${actual}/a/file`, TIME, TIME);
  expect(compareTrees(expected, actual)).toEqual([expect.stringMatching(/^a\/file: sha256 /)]);
});

test("sees the time of a symlink when asked", () => {
  const folder = fastTemporaryFolder();
  const [expected, actual] = [
    makeSmallTree(`${folder}/expected`),
    makeSmallTree(`${folder}/actual`),
  ];
  lutimesSync(`${actual}/link`, 5, 5);
  expect(compareTrees(expected, actual, { symlinkTimes: true })).toEqual([
    "link: mtime 5, expected 1000",
  ]);
});

test("a fingerprint sees a file written again with the same bytes and times", () => {
  const tree = makeSmallTree(path.join(fastTemporaryFolder(), "tree"));
  const before = fingerprintTree(tree);
  expect(fingerprintTree(tree)).toBe(before);
  const content = readFileSync(`${tree}/a/file`);
  unlinkSync(`${tree}/a/file`);
  writeFileSync(`${tree}/a/file`, content);
  setFolderTimes(tree, []);
  utimesSync(`${tree}/a/file`, TIME, TIME);
  expect(fingerprintTree(tree)).not.toBe(before);
});

const TIME = 1000;

function makeSmallTree(root: string): string {
  mkdirSync(`${root}/a`, { recursive: true });
  writeFileSync(`${root}/a/file`, "content");
  utimesSync(`${root}/a/file`, TIME, TIME);
  symlinkSync("file", `${root}/link`);
  lutimesSync(`${root}/link`, TIME, TIME);
  setFolderTimes(root, []);
  return root;
}

function relink(tree: string, target: string): void {
  unlinkSync(`${tree}/link`);
  symlinkSync(target, `${tree}/link`);
}

/** Folders get their time again, but the one whose time is what differs. */
function setFolderTimes(root: string, differences: readonly string[]): void {
  const differs = differences.includes("a: mtime 5, expected 1000");
  if (!differs) utimesSync(`${root}/a`, TIME, TIME);
  utimesSync(root, TIME, TIME);
}
