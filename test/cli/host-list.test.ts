import path from "node:path";
import { describe, expect, it } from "vitest";
import { assignShares, splitHosts, toHostUrls } from "../../src/cli/host-list.js";

const urls = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `file:///mnt/${at}`);

describe("the last word after --hosts", () => {
  it.each([
    [["a", "b", "OUT"], undefined, { hosts: ["a", "b"], last: "OUT" }],
    [["a", "b"], "OUT", { hosts: ["a", "b"], last: "OUT" }],
    [["a"], undefined, { hosts: ["a"], last: undefined }],
    [[], undefined, { hosts: [], last: undefined }],
    [[], "TREE", { hosts: [], last: "TREE" }],
  ])("of %j and %j is the argument that is missing", (hosts, last, expected) => {
    expect(splitHosts(hosts, last)).toEqual(expected);
  });
});

describe("hosts", () => {
  it("are folders or URLs, without a slash at the end", () => {
    const words = ["/mnt/a/", "b c", "http://host.example/dav/", "file:///mnt/d"];
    const here = path.resolve("b c").replaceAll(" ", "%20");
    const expected = [
      "file:///mnt/a",
      `file://${here}`,
      "http://host.example/dav",
      "file:///mnt/d",
    ];
    expect(toHostUrls(words)).toEqual(expected);
  });

  it("are refused when one is there twice", () => {
    expect(() => toHostUrls(["/mnt/a", "file:///mnt/a/"])).toThrow(
      "--hosts: expected another host, got file:///mnt/a again",
    );
  });

  it("keep their names wherever they stand", () => {
    const shape = { k: 1, n: 2, mayBeFewer: false };
    const names = (list: readonly string[]) => assignShares(list, shape).map(({ name }) => name);
    expect(names(["file:///mnt/a", "https://x.example/dav"])).toEqual(["mnt-a", "x.example-dav"]);
    expect(names(["https://x.example/dav", "file:///mnt/a"])).toEqual(["x.example-dav", "mnt-a"]);
  });

  it("have names of their own that are names, whatever their URLs", () => {
    const odd = [
      "file:///a-b",
      "file:///a/b",
      `file:///${"x".repeat(200)}`,
      "file:///%FF",
      "file:///",
    ];
    const names = assignShares(odd, { k: 1, n: 5, mayBeFewer: false }).map(({ name }) => name);
    expect(new Set(names).size).toBe(5);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
  });
});

describe("shares", () => {
  const shares = (count: number, k: number, n: number, mayBeFewer = false) =>
    assignShares(urls(count), { k, n, mayBeFewer }).map((host) => host.shares);

  it("go to one host each", () => {
    expect(shares(3, 2, 3)).toEqual([[0], [1], [2]]);
  });

  it("have copies at the hosts beyond n", () => {
    expect(shares(5, 2, 3)).toEqual([[0], [1], [2], [0], [1]]);
  });

  it.each([
    [2, 2, 3, "only 0 of them may be lost, not 1"],
    [3, 4, 6, "only 1 of them may be lost, not 2"],
    [5, 4, 6, "only 1 of them may be lost, not 2"],
  ])("on %i hosts of %i of %i are refused", (count, k, n, message) => {
    expect(() => shares(count, k, n)).toThrow(message);
  });

  it("are several to a host when that is asked for, or when none may be lost anyway", () => {
    expect(shares(2, 2, 3, true)).toEqual([[0, 2], [1]]);
    expect(shares(2, 3, 3)).toEqual([[0, 2], [1]]);
  });
});
