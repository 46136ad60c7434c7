import { describe, expect, test } from "vitest";
import { compareTreePaths, type TreePath, toTreePath } from "../../src/bytes/tree-path.js";
import type { ContentsEntry } from "../../src/manifest/contents.js";
import { collapseSets } from "../../src/replica/collapse.js";
import {
  type LocalObject,
  type PlanRules,
  planFollow,
  planHistory,
  planWhole,
  type TreePlan,
  USE_FIRST,
  USE_LAST,
  USE_NEEDED,
} from "../../src/replica/plan.js";
import { bySizeAndTime } from "../../src/replica/versions.js";
import {
  ATTRIBUTES,
  deletedEntry,
  directoryEntry,
  fileEntry,
  linkEntry,
  paths,
} from "./support/entries.js";

const RULES: PlanRules = {
  ownerOf: () => undefined,
  isProtected: () => false,
  isWanted: () => true,
  rankOf: () => undefined,
};
const ONLY = USE_NEEDED | USE_FIRST | USE_LAST;
const SIGNATURE = { blockLength: 512, digest: new Uint8Array(8) };

const FILE: LocalObject = {
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1000,
  sizeBytes: 0,
};
const DIRECTORY: LocalObject = { ...FILE, type: "directory", mode: 0o755 };

type Local = Readonly<Record<string, LocalObject>>;

describe("following", () => {
  test("writes a new file, and its directory is touched", () => {
    const plan = follow([[fileEntry("snapshot", "d/new", { sizeBytes: 7 })]], { d: DIRECTORY });
    expect(uses(plan)).toEqual([[ONLY]]);
    expect([...plan.touched]).toEqual(["d"]);
    expect(plan.counts).toMatchObject({ written: 1, patched: 0, special: 0, growth: 1 });
    expect(plan.counts).toMatchObject({ attributes: 0, stagedBytes: 7 });
  });

  test("applies every change since the last snapshot, in the order of the sets", () => {
    const sets = [
      [fileEntry("snapshot", "f")],
      [fileEntry("snapshot", "f")],
      [fileEntry("diff", "f")],
      [fileEntry("diff", "f")],
    ];
    const plan = follow(sets, { f: FILE });
    const middle = USE_NEEDED;
    expect(uses(plan)).toEqual([[0], [USE_NEEDED | USE_FIRST], [middle], [USE_NEEDED | USE_LAST]]);
    expect(plan.counts).toMatchObject({ written: 1, patched: 0, growth: 0 });
  });

  test("patches a file that is there, and mends one that is not", () => {
    const sets = [[fileEntry("diff", "f", { sizeBytes: 3 })]];
    expect(follow(sets, { f: FILE })).toMatchObject({ damaged: [], counts: { patched: 1 } });
    const damaged = { damaged: ["f"], counts: { patched: 0, stagedBytes: 0 } };
    expect(follow(sets, {})).toMatchObject(damaged);
    expect(follow(sets, { f: DIRECTORY })).toMatchObject({ ...damaged, replaced: ["f"] });
  });

  test("only checks a file that keeps its content, and sets what is different", () => {
    const attributes = { ...fileEntry("prefix", "f").attributes, mode: 0o600 };
    const kept = fileEntry("prefix", "f", { attributes, sizeBytes: 5, signature: SIGNATURE });
    const plan = follow([[kept]], { f: { ...FILE, sizeBytes: 5 } });
    expect(plan.checks).toEqual([{ path: "f", signature: SIGNATURE }]);
    expect(plan.attributes).toEqual([{ path: "f", attributes }]);
    expect(uses(plan)).toEqual([[0]]);
    expect([...plan.touched]).toEqual([]);
  });

  test("builds a file that becomes shorter", () => {
    const plan = follow([[fileEntry("prefix", "f", { sizeBytes: 4 })]], {
      f: { ...FILE, sizeBytes: 5 },
    });
    expect(uses(plan)).toEqual([[ONLY]]);
  });

  test("deletes what is there, protected paths and the root apart", () => {
    const sets = [["", "gone", "kept", "never"].map(deletedEntry)];
    const isProtected = (path: TreePath) => path === "kept";
    const plan = follow(sets, { "": DIRECTORY, gone: FILE, kept: FILE }, { isProtected });
    expect(plan.deletes).toEqual(["gone"]);
    expect(plan.counts.growth).toBe(-1);
  });

  test("sets attributes of a directory, and makes one that is new", () => {
    const sets = [[directoryEntry("new"), directoryEntry("old", { mtime: 5 })]];
    const plan = follow(sets, { "": DIRECTORY, old: DIRECTORY });
    expect(plan.directories.map(({ path }) => path)).toEqual(["new", "old"]);
    expect(uses(plan)).toEqual([[ONLY]]);
  });

  test("leaves a symlink that has the target alone, whatever its time", () => {
    const local = { l: { ...FILE, type: "symlink", target: "t" } as const };
    expect(uses(follow([[linkEntry("l", "t")]], local))).toEqual([[0]]);
    expect(uses(follow([[linkEntry("l", "u")]], local))).toEqual([[ONLY]]);
  });

  test("asks for an owner only where the rules name one", () => {
    const sets = [[fileEntry("prefix", "f")]];
    const ownerOf = () => ({ uid: 7, gid: 0 });
    expect(follow(sets, { f: FILE }).attributes).toEqual([]);
    expect(follow(sets, { f: FILE }, { ownerOf }).attributes).toHaveLength(1);
    expect(follow(sets, { f: { ...FILE, uid: 7 } }, { ownerOf }).attributes).toEqual([]);
  });

  test("names what appears last only when it is staged", () => {
    const sets = [[fileEntry("snapshot", "index"), fileEntry("prefix", "other")]];
    const plan = follow(sets, { other: FILE }, { rankOf: () => 3 });
    expect(plan.publishLast).toEqual([{ path: "index", rank: 3 }]);
  });

  test("lets a symlink point elsewhere after all else", () => {
    const sets = [[directoryEntry("d"), linkEntry("l", "new"), linkEntry("new", "x")]];
    const local = { "": DIRECTORY, l: { ...FILE, type: "symlink", target: "old" } as const };
    const { publishLast } = follow(sets, local, { rankOf: (path) => (path === "l" ? 0 : 1) });
    expect(publishLast.map(({ path }) => path)).toEqual(["l", "new"]);
    expect(publishLast[0]?.rank).toBeGreaterThan(1);
  });

  test("passes over what this replica does not carry", () => {
    const sets = [[fileEntry("snapshot", "a"), deletedEntry("b"), fileEntry("diff", "c")]];
    const plan = follow(sets, { b: FILE }, { isWanted: (path) => path === "" });
    expect(plan).toMatchObject({ deletes: [], damaged: [], counts: { written: 0, growth: 0 } });
  });

  test("sees that the tree is not at its position when a directory is missing", () => {
    const sets = [[fileEntry("snapshot", "d/f")]];
    expect(() => follow(sets, {})).toThrow(expect.objectContaining({ code: "TREE_DIVERGED" }));
    expect(() => follow(sets, { d: FILE })).toThrow(
      expect.objectContaining({ code: "TREE_DIVERGED" }),
    );
    expect(() => follow([[directoryEntry("d"), ...(sets[0] ?? [])]], { d: FILE })).not.toThrow();
  });

  test.each([
    ["a file", fileEntry("snapshot", "d")],
    ["a symlink", linkEntry("d", "/etc")],
    ["what goes", deletedEntry("d")],
  ])("refuses a path below %s, whatever the tree has there", (_, above) => {
    const sets = [[above, fileEntry("snapshot", "d/f")]];
    const local = { d: DIRECTORY };
    expect(() => follow(sets, local)).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
    const further = [[above, deletedEntry("d/a"), fileEntry("snapshot", "d/b/c")]];
    expect(() => follow(further, { ...local, "d/b": DIRECTORY })).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
  });

  test.each([[fileEntry("snapshot", "")], [linkEntry("", "/etc")]])(
    "refuses a root that is no directory",
    (root) => {
      expect(() => follow([[root]], { "": DIRECTORY })).toThrow(
        expect.objectContaining({ code: "DOCUMENT_INVALID" }),
      );
    },
  );
});

describe("the whole tree", () => {
  const target = [
    [directoryEntry(""), fileEntry("snapshot", "a", { sizeBytes: 3 }), fileEntry("snapshot", "c")],
  ];

  test("is written where nothing is", () => {
    const plan = whole(target, {});
    expect(uses(plan)).toEqual([[ONLY, ONLY, ONLY]]);
    expect(plan.counts).toMatchObject({ written: 2, special: 1, growth: 3 });
  });

  test("keeps files of equal size and time, and deletes what it does not have", () => {
    const plan = whole(target, {
      "": DIRECTORY,
      a: { ...FILE, sizeBytes: 3 },
      b: FILE,
      c: { ...FILE, sizeBytes: 1 },
      d: DIRECTORY,
      "d/e": FILE,
    });
    expect(uses(plan)).toEqual([[0, 0, ONLY]]);
    expect(plan.deletes).toEqual(["b", "d", "d/e"]);
    expect(plan.counts.growth).toBe(-3);
  });

  test("writes a file of another time, and sets attributes of one with another mode", () => {
    const plan = whole(target, {
      "": DIRECTORY,
      a: { ...FILE, sizeBytes: 3, mode: 0o600 },
      c: { ...FILE, mtime: 999 },
    });
    expect(plan.attributes.map(({ path }) => path)).toEqual(["a"]);
    expect(uses(plan)).toEqual([[0, 0, ONLY]]);
  });

  test("patches a file that is an earlier version of its path", () => {
    const at = (mtime: number) => ({ attributes: { ...ATTRIBUTES, mtime }, sizeBytes: 3 });
    const sets = [
      [directoryEntry(""), fileEntry("snapshot", "a", at(1))],
      [fileEntry("diff", "a", at(2))],
      [fileEntry("diff", "a", at(3))],
      [fileEntry("prefix", "a", { ...at(4), signature: SIGNATURE })],
    ];
    const holding = (mtime: number) =>
      whole(sets, { "": DIRECTORY, a: { ...FILE, sizeBytes: 3, mtime } });
    expect(uses(holding(1)).slice(1)).toEqual([[USE_NEEDED | USE_FIRST], [1], [1 | USE_LAST]]);
    expect(uses(holding(2)).slice(1)).toEqual([[0], [USE_NEEDED | USE_FIRST], [1 | USE_LAST]]);
    expect(holding(3)).toMatchObject({ checks: [{ path: "a" }], attributes: [{ path: "a" }] });
    expect(holding(4)).toMatchObject({ checks: [], attributes: [], counts: { patched: 0 } });
    expect(holding(9).counts).toMatchObject({ written: 1, patched: 0 });
  });

  test("has not what a later set deleted", () => {
    const plan = whole([...target, [deletedEntry("a")]], { "": DIRECTORY, a: FILE });
    expect(plan.deletes).toEqual(["a"]);
    expect(uses(plan)).toEqual([[0, 0, ONLY], [0]]);
  });

  test.each([
    ["without a root", [[fileEntry("snapshot", "a")]]],
    ["without a parent", [[directoryEntry(""), fileEntry("snapshot", "a/b")]]],
    [
      "below a file",
      [[directoryEntry(""), fileEntry("snapshot", "a"), fileEntry("snapshot", "a/b")]],
    ],
    [
      "below a symlink",
      [[directoryEntry(""), linkEntry("a", "/etc"), fileEntry("snapshot", "a/b")]],
    ],
    ["below what went", [[directoryEntry(""), deletedEntry("a"), fileEntry("snapshot", "a/b")]]],
  ])("is refused with a path %s", (_, sets) => {
    expect(() => whole(sets, { "": DIRECTORY, a: DIRECTORY })).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
  });
});

describe("the history of files", () => {
  const sets = [
    [fileEntry("snapshot", "a"), fileEntry("snapshot", "b")],
    [fileEntry("diff", "a"), fileEntry("diff", "b")],
  ];

  test("is what its last snapshot and all changes after it need, of these files only", () => {
    const plan = planHistory(2, collapseSets(sets), new Set(paths("b")), RULES);
    expect(uses(plan)).toEqual([
      [0, USE_NEEDED | USE_FIRST],
      [0, USE_NEEDED | USE_LAST],
    ]);
  });

  test("without a snapshot does not mend a file", () => {
    const plan = planHistory(1, collapseSets(sets.slice(1)), new Set(paths("b")), RULES);
    expect(plan.damaged).toEqual(["b"]);
  });
});

function follow(
  sets: readonly (readonly ContentsEntry[])[],
  local: Local,
  rules: Partial<PlanRules> = {},
): TreePlan {
  const tree: Local = { "": DIRECTORY, ...local };
  const lookup = (path: TreePath) => tree[path];
  return planFollow(sets.length, collapseSets(sets), lookup, { ...RULES, ...rules });
}

function whole(sets: readonly (readonly ContentsEntry[])[], local: Local): TreePlan {
  const scan = Object.entries(local)
    .map(([path, object]) => ({ path: toTreePath(path), object }))
    .sort((a, b) => compareTreePaths(a.path, b.path));
  const rules = { ...RULES, compare: compareTreePaths, holds: bySizeAndTime };
  return planWhole(sets.length, collapseSets(sets), scan, rules);
}

/** What each entry of each set is for, up to the last that is needed, but at least one. */
function uses(plan: TreePlan): number[][] {
  return plan.uses.map((set) => {
    const flags = Array.from({ length: 8 }, (_, ordinal) => set.of(ordinal));
    const last = flags.findLastIndex((flag) => flag !== 0);
    return flags.slice(0, Math.max(1, last + 1));
  });
}
