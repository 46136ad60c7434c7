import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildChains, groupSets, type RepositorySet } from "../../src/duplicity/chains.js";
import { formatSetName, type RepositoryFile } from "../../src/duplicity/names.js";
import type { SetId } from "../../src/duplicity/set-id.js";

const full = (time: number): SetId => ({ kind: "full", time });
const increment = (from: number, time: number): SetId => ({ kind: "increment", from, time });

function file(set: SetId, role: RepositoryFile["role"], number = 0): RepositoryFile {
  const name = `${formatSetName(set)}.${role}${number}`;
  return { name, set, role, number, wrapping: "plain", partial: false };
}

const complete = (id: SetId): RepositorySet => ({
  id,
  manifest: file(id, "manifest"),
  volumes: [],
});

/** What `buildChains` finds, by names. */
function chainsOf(ids: readonly SetId[]) {
  const { chains, orphans, incomplete } = buildChains(ids.map(complete));
  const names = (sets: readonly RepositorySet[]) => sets.map((set) => formatSetName(set.id));
  return {
    chains: chains.map((chain) => names([chain.full, ...chain.increments])),
    forked: chains.map((chain) => names(chain.forked)),
    orphans: names(orphans),
    incomplete: names(incomplete),
  };
}

const named = (...ids: readonly SetId[]) => ids.map(formatSetName);

describe("groupSets", () => {
  it("puts the files of a set together, volumes in numeric order", () => {
    const id = full(100);
    const files = [10, 2, 1].map((number) => file(id, "volume", number));
    const [set, ...others] = groupSets([...files, file(id, "signatures"), file(id, "manifest")]);
    expect(others).toEqual([]);
    expect(set?.volumes.map((volume) => volume.number)).toEqual([1, 2, 10]);
    expect(set?.manifest?.role).toBe("manifest");
    expect(set?.signatures?.role).toBe("signatures");
  });

  it("keeps sets with one time in common apart", () => {
    const ids = [full(100), increment(50, 100), increment(100, 150), increment(100, 160)];
    const sets = groupSets(ids.map((id) => file(id, "volume", 1)));
    expect(sets.map((set) => set.id)).toEqual(ids);
    expect(sets.every((set) => set.manifest === undefined)).toBe(true);
  });

  it("leaves partial files out", () => {
    expect(groupSets([{ ...file(full(1), "manifest"), partial: true }])).toEqual([]);
  });

  it("refuses two files of one purpose, naming both", () => {
    const id = full(100);
    const other = { ...file(id, "volume", 3), name: "the other" };
    expect(() => groupSets([file(id, "volume", 3), other])).toThrow(
      /volume3 and the other are both the volume 3/,
    );
  });
});

describe("buildChains", () => {
  it("lets increments follow their full set, whatever the order of the listing", () => {
    const ids = [
      full(100),
      increment(100, 200),
      increment(200, 300),
      full(400),
      increment(400, 500),
    ];
    const expected = {
      chains: [named(...ids.slice(0, 3)), named(...ids.slice(3))],
      forked: [[], []],
      orphans: [],
      incomplete: [],
    };
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: ids.length }), (shuffled) => {
        expect(chainsOf(shuffled)).toEqual(expected);
      }),
    );
  });

  it("lets a later increment from the same set replace the last one", () => {
    const [loser, winner] = [increment(200, 300), increment(200, 310)];
    expect(chainsOf([full(100), increment(100, 200), loser, winner, increment(310, 400)])).toEqual({
      chains: [named(full(100), increment(100, 200), winner, increment(310, 400))],
      forked: [named(loser)],
      orphans: [],
      incomplete: [],
    });
  });

  it("lets only the last increment of a chain be replaced", () => {
    const late = increment(100, 310);
    expect(chainsOf([full(100), increment(100, 200), increment(200, 300), late])).toMatchObject({
      chains: [named(full(100), increment(100, 200), increment(200, 300))],
      orphans: named(late),
    });
  });

  it("calls increments that build on nothing orphans", () => {
    expect(chainsOf([increment(50, 90), full(100), increment(150, 200)])).toMatchObject({
      chains: [named(full(100))],
      orphans: named(increment(50, 90), increment(150, 200)),
    });
  });

  it("keeps sets without a manifest out of the chains, and what builds on them", () => {
    const open: RepositorySet = { id: increment(100, 200), volumes: [] };
    const { chains, orphans, incomplete } = buildChains([
      complete(full(100)),
      open,
      complete(increment(200, 300)),
    ]);
    expect(chains.map((chain) => chain.increments)).toEqual([[]]);
    expect(incomplete).toEqual([open]);
    expect(orphans.map((set) => set.id)).toEqual([increment(200, 300)]);
  });

  it("loses no set", () => {
    const id = fc.oneof(
      fc.integer({ min: 0, max: 12 }).map(full),
      fc
        .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 5 }))
        .map(([from, length]) => increment(from, from + length)),
    );
    fc.assert(
      fc.property(fc.uniqueArray(id, { selector: formatSetName }), (list) => {
        const { chains, forked, orphans } = chainsOf(list);
        const found = [...chains.flat(), ...forked.flat(), ...orphans];
        expect(found.sort()).toEqual(named(...list).sort());
      }),
    );
  });
});
