import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BinaryReader } from "../../src/bytes/binary-reader.js";
import { FrontCodedPaths, sharedSize } from "../../src/bytes/front-coding.js";
import {
  baseName,
  childPath,
  compareTreePaths,
  displayPath,
  isWithin,
  latin1Bytes,
  latin1String,
  Parents,
  parentPath,
  ROOT,
  type TreePath,
  toTreePath,
} from "../../src/bytes/tree-path.js";

const refused: unknown = expect.objectContaining({ code: "PATH_REFUSED" });

const component = fc
  .string({
    unit: fc.constantFrom("a", "b", ".", "-", "+", "\x01", " ", "0", "\xe9", "\xff"),
    minLength: 1,
    maxLength: 4,
  })
  .filter((text) => text !== "." && text !== "..");
const treePath = fc.array(component, { maxLength: 4 }).map((parts) => toTreePath(parts.join("/")));

describe("paths", () => {
  test.each(["", "a", "a/b", "...", "..a/.b", ".hidden", "a b\n", "\xff/\xe9", "x".repeat(255)])(
    "%j is one",
    (text) => {
      expect(toTreePath(text)).toBe(text);
    },
  );

  test.each([
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/..",
    "../a",
    "a/./b",
    "a/../b",
    "a\0",
    "\u0100",
    "x".repeat(256),
    `a/${"x".repeat(256)}/b`,
    "ab/".repeat(1365) + "c",
  ])("%j is refused", (text) => {
    expect(() => toTreePath(text)).toThrow(refused);
  });

  test("may have 4095 bytes", () => {
    const longest = `${"abc/".repeat(1023)}abc`;
    expect(longest.length).toBe(4095);
    expect(toTreePath(longest)).toBe(longest);
  });

  test("of children are checked", () => {
    expect(childPath(ROOT, "a")).toBe("a");
    expect(childPath(toTreePath("a"), "b")).toBe("a/b");
    expect(() => childPath(toTreePath("a"), "..")).toThrow(refused);
    expect(() => childPath(toTreePath("a"), "")).toThrow(refused);
  });

  test("have a parent and a last component", () => {
    const path = toTreePath("a/bc/d");
    expect([parentPath(path), baseName(path)]).toEqual(["a/bc", "d"]);
    expect([parentPath(toTreePath("a")), baseName(toTreePath("a"))]).toEqual(["", "a"]);
    expect([parentPath(ROOT), baseName(ROOT)]).toEqual(["", ""]);
  });

  test("in any order have the parents that each has by itself", () => {
    fc.assert(
      fc.property(fc.array(treePath), (paths) => {
        const parents = new Parents();
        const found = paths.map((path) => [parents.of(path), parents.of(path)]);
        expect(found).toEqual(paths.map((path) => [parentPath(path), parentPath(path)]));
      }),
    );
  });

  test("lie within a directory by whole components", () => {
    const directory = toTreePath("a/b");
    expect(["a/b", "a/b/c"].map((text) => isWithin(toTreePath(text), directory))).toEqual([
      true,
      true,
    ]);
    expect(["a/bc", "a", "b", ""].map((text) => isWithin(toTreePath(text), directory))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(isWithin(ROOT, ROOT)).toBe(true);
  });
});

describe("index order", () => {
  test("goes component by component, bytes unsigned, a prefix first", () => {
    const ordered = [
      "",
      "a",
      "a/b",
      "a/b/c",
      "a/c",
      "a\x01",
      "a b",
      "a-b",
      "a.b",
      "ab",
      "b",
      "\x7f",
      "\xe9",
    ];
    const sorted = ordered.map(toTreePath).reverse().sort(compareTreePaths);
    expect(sorted).toEqual(ordered);
  });

  test("is the order of lists of components", () => {
    fc.assert(
      fc.property(treePath, treePath, (a, b) => {
        expect(Math.sign(compareTreePaths(a, b))).toBe(compareLists(a.split("/"), b.split("/")));
      }),
    );
  });
});

describe("front coding", () => {
  test("gives back every path that comes after another", () => {
    fc.assert(
      fc.property(treePath, treePath, (a, b) => {
        fc.pre(a !== b);
        const [first, second] = compareTreePaths(a, b) < 0 ? [a, b] : [b, a];
        const shared = sharedSize(first, second);
        expect(continuePath(first, shared, second.slice(shared))).toBe(second);
      }),
    );
  });

  test("refuses every path that does not come after another", () => {
    fc.assert(
      fc.property(treePath, treePath, (a, b) => {
        const [first, second] = compareTreePaths(a, b) < 0 ? [b, a] : [a, b];
        const shared = sharedSize(first, second);
        expect(() => continuePath(first, shared, second.slice(shared))).toThrow("out of order");
      }),
    );
  });

  test.each([
    ["ab", 3, "c"],
    ["ab", 1, "bc"],
    ["ab", 0, "ac"],
    ["ab", 2, ""],
  ])("refuses what shares less or more than it says: %s, %i, %j", (previous, shared, added) => {
    expect(() => continuePath(toTreePath(previous), shared, added)).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
  });

  test("takes what is a path, and refuses all else as that is refused", () => {
    const any = fc.string({ unit: fc.constantFrom("a", "b", ".", "/", "\0"), maxLength: 8 });
    fc.assert(
      fc.property(treePath, any, fc.constantFrom("", "x".repeat(250)), (previous, text, more) => {
        const next = text + more;
        const shared = sharedSize(previous, next as TreePath);
        fc.pre(compareTreePaths(previous, next as TreePath) < 0);
        const added = next.slice(shared);
        expect(outcome(() => continuePath(previous, shared, added))).toBe(
          outcome(() => toTreePath(next)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("refuses a path that leaves the tree", () => {
    expect(() => continuePath(toTreePath("a/b"), 2, "c/../../x")).toThrow(refused);
    expect(() => continuePath(toTreePath("a"), 1, "/..")).toThrow(refused);
  });
});

function outcome(make: () => TreePath): string {
  try {
    return make();
  } catch (error) {
    return String(error);
  }
}

function continuePath(previous: TreePath, shared: number, added: string): TreePath {
  const paths = new FrontCodedPaths();
  const texts = new BinaryReader(latin1Bytes(previous + added), "texts");
  paths.next(0, previous.length, texts);
  return paths.next(shared, added.length, texts);
}

test("bytes become a string and bytes again", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  expect([...latin1Bytes(latin1String(bytes.subarray(100)))]).toEqual([...bytes.subarray(100)]);
});

test("paths are shown as UTF-8 where they are, and escaped where not", () => {
  expect(displayPath("a/b")).toBe("a/b");
  expect(displayPath("")).toBe(".");
  expect(displayPath(Buffer.from("caf\u00e9").toString("latin1"))).toBe("caf\u00e9");
  expect(displayPath("a\nb")).toBe('"a\\nb"');
  expect(displayPath("caf\xe9")).toBe('"caf\xe9"');
  expect(displayPath("a\x9b2Jb")).toBe('"a\\u{9b}2Jb"');
  expect(displayPath("\x7f")).toBe('"\\u{7f}"');
  expect(displayPath(Buffer.from("gpj.\u202efdp").toString("latin1"))).toBe(
    '"gpj.\xe2\\u{80}\xaefdp"',
  );
  expect(displayPath("x".repeat(70_000)).length).toBeLessThan(5000);
});

function compareLists(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [a, b].map((list) => Buffer.from(list.join("\0"), "latin1"));
  return Buffer.compare(left ?? Buffer.alloc(0), right ?? Buffer.alloc(0));
}
