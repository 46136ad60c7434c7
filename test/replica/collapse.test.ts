import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareTreePaths } from "../../src/bytes/tree-path.js";
import type { ContentsEntry } from "../../src/manifest/contents.js";
import { collapseSets } from "../../src/replica/collapse.js";
import { deletedEntry, directoryEntry, fileEntry } from "./support/entries.js";

const KINDS = ["snapshot", "diff", "prefix", "deleted", "object"] as const;
type Kind = (typeof KINDS)[number];

const NAMES = ["", "a", "a-b", "a/b", "a/b/c", "a0", "b", "\xff"];

describe("collapsed sets", () => {
  test("leave of each path what a tree that takes set after set would be made from", () => {
    const set = fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom(...KINDS));
    fc.assert(
      fc.property(fc.array(set, { maxLength: 7 }), (drawn) => {
        const sets = possible(drawn);
        const found = [...collapseSets(sets)].map(({ path, survivors }) => [
          path,
          survivors.map(({ set, ordinal }) => sets[set]?.[ordinal]),
        ]);
        expect(found).toEqual(oneAfterTheOther(sets));
      }),
    );
  });

  test("give entries the numbers of their set and of their place in it", () => {
    const sets = [
      [directoryEntry(""), fileEntry("snapshot", "a"), fileEntry("snapshot", "b")],
      [fileEntry("diff", "b")],
    ];
    const last = [...collapseSets(sets)].at(-1);
    expect(last?.survivors.map(({ set, ordinal }) => ({ set, ordinal }))).toEqual([
      { set: 0, ordinal: 2 },
      { set: 1, ordinal: 0 },
    ]);
  });

  test("are none of no sets, and of sets without entries", () => {
    expect([...collapseSets([])]).toEqual([]);
    expect([...collapseSets([[], []])]).toEqual([]);
  });

  test.each([
    ["a directory", directoryEntry("a")],
    ["what was deleted", deletedEntry("a")],
  ])("refuse a change of %s", (_, before) => {
    const sets = [[before], [fileEntry("diff", "a")]];
    expect(() => [...collapseSets(sets)]).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
  });

  test("read each set only as far as they are asked for", () => {
    let read = 0;
    const entries = function* () {
      for (const name of ["a", "b", "c", "d"]) {
        read++;
        yield fileEntry("snapshot", name);
      }
    };
    collapseSets([entries()]).next();
    expect(read).toBeLessThan(4);
  });
});

/** Sets in index order, in which no change follows what is no file. */
function possible(drawn: readonly Readonly<Record<string, Kind>>[]): ContentsEntry[][] {
  const solid = new Set<string>();
  return drawn.map((set) => {
    const entries = Object.entries(set).map(([path, kind]) => {
      const isChange = kind === "diff" || kind === "prefix";
      const entry = makeEntry(path, isChange && solid.has(path) ? "snapshot" : kind);
      if (entry.kind === "deleted" || entry.kind === "object") solid.add(path);
      else if (entry.kind === "snapshot") solid.delete(path);
      return entry;
    });
    return entries.sort((a, b) => compareTreePaths(a.path, b.path));
  });
}

function makeEntry(path: string, kind: Kind): ContentsEntry {
  if (kind === "deleted") return deletedEntry(path);
  if (kind === "object") return directoryEntry(path);
  return fileEntry(kind, path);
}

function oneAfterTheOther(sets: readonly (readonly ContentsEntry[])[]) {
  const state = new Map<string, ContentsEntry[]>();
  for (const entry of sets.flat()) {
    const isChange = entry.kind === "diff" || entry.kind === "prefix";
    state.set(entry.path, isChange ? [...(state.get(entry.path) ?? []), entry] : [entry]);
  }
  const found = [...state].map(([, entries]) => [entries[0]?.path, entries] as const);
  return found
    .sort(([a], [b]) => (a === undefined || b === undefined ? 0 : compareTreePaths(a, b)))
    .map(([path, entries]) => [path, entries]);
}
