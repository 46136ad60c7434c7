import { describe, expect, test } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { REPLICA_DEFAULTS } from "../../src/config/defaults.js";
import { pathFilter, pathMatcher, patternRank } from "../../src/replica/patterns.js";
import { Random } from "../support/random.js";

describe("a pattern", () => {
  test.each([
    // Without a slash: at any depth, with all below.
    ["a", "a", true],
    ["a", "x/a", true],
    ["a", "a/below", true],
    ["a", "x/a/below/deeper", true],
    ["a", "ab", false],
    ["a", "ba", false],
    ["a/", "x/a", true],
    ["*.c", "x/y.c", true],
    ["*.c", "x/y.c/z", true],
    ["*.c", "x/y.cc", false],
    ["*", "a", true],
    ["**", "a/b", true],
    // With one: from the root.
    ["/a", "a", true],
    ["/a", "x/a", false],
    ["a/b", "a/b", true],
    ["a/b", "a/b/c", true],
    ["a/b", "x/a/b", false],
    ["a/b", "a", false],
    ["a/*", "a/b", true],
    ["a/*", "a", false],
    ["a/*/c", "a/b/c", true],
    ["a/*/c", "a/b/d/c", false],
    ["a/**", "a/b/c", true],
    ["a/**", "a", false],
    ["a/**/c", "a/c", true],
    ["a/**/c", "a/b/d/c", true],
    ["a/**/c", "ac", false],
    ["**/c", "c", true],
    ["**/c", "a/b/c", true],
    ["**/c", "a/bc", false],
    // One byte, and classes of them; never a slash.
    ["/a?c", "abc", true],
    ["/a?c", "a/c", false],
    ["/a[bd]c", "adc", true],
    ["/a[!b]c", "adc", true],
    ["/a[!b]c", "abc", false],
    ["/a[!b]c", "a/c", false],
    ["/a[+-9]c", "a/c", false],
    ["/a[+-9]c", "a5c", true],
    ["/a[\\d]c", "a5c", false],
    ["/a[\\d]c", "a\\c", true],
    // What means something elsewhere means itself.
    ["a.b", "axb", false],
    ["a+(b|c)$^{1}", "a+(b|c)$^{1}", true],
    ["a\\b", "a\\b", true],
    ["[", "[", true],
    ["a]", "a]", true],
    // Bytes: patterns are UTF-8, paths need not be.
    ["ä", "\xc3\xa4", true],
    ["ä", "\xe4", false],
    ["*.x", "\xff\xfe.x", true],
    ["a*", "a\nb", true],
    // The root is never matched, nor is anything by nothing.
    ["*", "", false],
    ["/", "a", false],
  ])("%j on %j: %j", (pattern, path, isMatch) => {
    expect(pathMatcher([pattern])(toTreePath(path))).toBe(isMatch);
  });

  test("of several that matches is enough", () => {
    const matches = pathMatcher(["/a", "*.c"]);
    expect(["a", "x.c", "b"].map((path) => matches(toTreePath(path)))).toEqual([true, true, false]);
  });

  test("with a class that cannot be is refused as a setting", () => {
    expect(() => pathMatcher(["[z-a]"])).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });
});

test("the last of several patterns gives a path its rank", () => {
  const rankOf = patternRank(["dists/", "Release", "dists/*/Release.gpg"]);
  const ranks = ["pool", "dists", "dists/a/x", "dists/a/Release", "dists/a/Release.gpg", "Release"];
  expect(ranks.map((path) => rankOf(toTreePath(path)))).toEqual([undefined, 0, 0, 1, 2, 1]);
});

describe("a part of the tree", () => {
  test.each([
    [["a/b/c"], [], "a", true],
    [["a/b/c"], [], "a/b", true],
    [["a/b/c"], [], "a/x", false],
    [["a/b/c"], [], "b", false],
    [["a/*/c"], [], "a/any", true],
    [["a/*/c"], [], "a/any/d", false],
    [["a/**/c"], [], "a/any/deep", true],
    [["a/**/c"], [], "b", false],
    [["**/c"], [], "any/deep", true],
    [["*.c"], [], "any/deep", true],
    [["/a"], [], "b", false],
    [["/a"], [], "", true],
    [["*.c"], ["any"], "any/deep", false],
    [[], ["a"], "a/b", false],
    [[], ["a"], "b", true],
    [[], ["**"], "", true],
  ])("include %j, exclude %j: directory %j %j", (include, exclude, path, isCarried) => {
    expect(pathFilter(include, exclude)(toTreePath(path), true)).toBe(isCarried);
  });

  test.each([
    [["*.c"], [], "x/a.c", true],
    [["*.c"], [], "x/a.h", false],
    [["a/b/c"], [], "a/b", false],
    [["a/b/c"], [], "a/b/c", true],
    [["**/c"], [], "x", false],
    [["a"], ["*.o"], "a/x.o", false],
  ])("include %j, exclude %j: file %j %j", (include, exclude, path, isCarried) => {
    expect(pathFilter(include, exclude)(toTreePath(path), false)).toBe(isCarried);
  });
});

test.each([
  ["*-*-*-*.deb", "-"],
  ["a*a*a*a*a*b", "a"],
  ["[ab]*[ab]*?[ab]*?x", "a"],
])("%s is decided in a moment for a name that is made for it", (pattern, unit) => {
  const name = toTreePath(unit.repeat(255));
  const startedAt = performance.now();
  expect(pathMatcher([pattern, "z*z*z"])(name)).toBe(false);
  // Trying every combination of places took minutes.
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

const { seed } = new Random();

test(`stars between texts match as a search for every combination does (SEED=${seed})`, () => {
  const random = new Random(seed);
  const word = (letters: string, most: number) =>
    Array.from({ length: random.below(most + 1) }, () => random.pick(letters.split(""))).join("");
  for (let count = 0; count < 3000; count++) {
    const pattern = word("ab*?", 7);
    const name = word("ab", 8);
    if (pattern === "" || pattern === "**" || name === "") continue;
    const expected = new RegExp(`^${pattern.replaceAll("?", ".").replaceAll(/\*+/g, ".*")}$`);
    const found = pathMatcher([pattern])(toTreePath(name));
    expect({ pattern, name, found }).toEqual({ pattern, name, found: expected.test(name) });
  }
});

test(`any patterns match as each does when it is tried at every place (SEED=${seed})`, () => {
  const random = new Random(seed);
  const some = (most: number, make: () => string) =>
    Array.from({ length: 1 + random.below(most) }, make);
  const part = () =>
    random.pick(["**", "*.db", "*.db.*", "Release", "*", "a", "?b", "b*a*", "*b**"]);
  const name = () =>
    random.pick(["x.db", ".db.a", "y.db", "Release", "Releases", "a", "ab", "bba"]);
  for (let count = 0; count < 3000; count++) {
    const own = some(3, () => random.pick(["", "/", "**/"]) + some(3, part).join("/"));
    const patterns = random.pick([own, [...REPLICA_DEFAULTS.publishLast, ...own]]);
    const path = some(4, name).join("/");
    const expected = patterns.some((pattern) => naive(pattern).test(path));
    const found = pathMatcher(patterns)(toTreePath(path));
    expect({ patterns, path, found }).toEqual({ patterns, path, found: expected });
  }
});

function naive(pattern: string): RegExp {
  const segments = pattern.split("/").filter((segment) => segment !== "");
  const source = segments
    .map((segment, at) => {
      if (segment === "**") return at === segments.length - 1 ? ".*" : "(.*/)?";
      const text = segment
        .replaceAll(".", "\\.")
        .replaceAll("?", "[^/]")
        .replaceAll(/\*+/g, "[^/]*");
      return at === segments.length - 1 ? text : `${text}/`;
    })
    .join("");
  return new RegExp(`${pattern.includes("/") ? "^" : "(^|/)"}(${source})(/|$)`);
}
