import { describe, expect, it } from "vitest";
import type { Chain, RepositorySet } from "../../src/duplicity/chains.js";
import type { RepositoryFile } from "../../src/duplicity/names.js";
import type { SetId } from "../../src/duplicity/set-id.js";
import type { LedgerLine } from "../../src/manifest/ledger.js";
import { chooseSets, type PublishedChain, verifyPublished } from "../../src/master/choose.js";

const NOTHING = { kind: "paged", pages: [] } as const;

const full = (time: number): SetId => ({ kind: "full", time });
const increment = (from: number, time: number): SetId => ({ kind: "increment", from, time });

function setOf(id: SetId): RepositorySet {
  const file: RepositoryFile = {
    ...{ name: "manifest", set: id, role: "manifest" },
    ...{ number: 0, wrapping: "plain", partial: false },
  };
  return { id, manifest: file, volumes: [] };
}

/** A chain with a full set at the first time and an increment at each other. */
function chainOf(...times: readonly number[]): Chain {
  const [first = 0, ...rest] = times;
  const increments = rest.map((time, position) => setOf(increment(times[position] ?? 0, time)));
  return { full: setOf(full(first)), increments, forked: [] };
}

function lineOf(set: SetId): LedgerLine {
  const shape = { k: 2, n: 3 };
  const tables = { volumes: NOTHING, records: NOTHING, contents: NOTHING };
  return { previous: "", set, manifestHash: `hash ${set.time}`, shape, entryCount: 0, ...tables };
}

function publishedOf(...times: readonly number[]): PublishedChain {
  const chain = chainOf(...times);
  const sets = [chain.full, ...chain.increments];
  return { chain: times[0] ?? 0, lines: sets.map((set) => lineOf(set.id)) };
}

const name = (seconds: number): string => {
  const text = new Date(seconds * 1000).toISOString();
  return text.replace(/[-:]|\.\d+/g, "");
};
const incName = (from: number, to: number): string => `inc.${name(from)}.to.${name(to)}`;

describe("choosing sets", () => {
  const choose = (options: Partial<Parameters<typeof chooseSets>[0]>) => {
    const none = { chains: [], published: [], withheld: new Set<string>(), retainChains: 2 };
    const { sets, withheld } = chooseSets({ ...none, ...options });
    return { times: sets.map((one) => [one.chain, one.set.id.time]), withheld };
  };

  it("takes the newest chain of a repository that was never published", () => {
    const { times } = choose({ chains: [chainOf(10, 11), chainOf(20, 21, 22)] });
    expect(times).toEqual([20, 21, 22].map((time) => [20, time]));
  });

  it("takes what is not yet published, chain after chain", () => {
    const chains = [chainOf(10, 11), chainOf(20, 21, 22), chainOf(30)];
    expect(choose({ chains, published: [publishedOf(20, 21)] }).times).toEqual([
      [20, 22],
      [30, 30],
    ]);
  });

  it("does not begin with chains that retention would drop", () => {
    const chains = [chainOf(10, 11), chainOf(20), chainOf(30), chainOf(40)];
    expect(choose({ chains, published: [publishedOf(10)] }).times).toEqual([
      [30, 30],
      [40, 40],
    ]);
  });

  it("withholds sets with errors unless a good one follows in their chain", () => {
    const withheld = new Set([incName(10, 11), incName(12, 13), `full.${name(20)}`]);
    const chains = [chainOf(10, 11, 12, 13), chainOf(20)];
    const chosen = choose({ chains, withheld, published: [publishedOf(10)] });
    expect(chosen.times).toEqual([
      [10, 11],
      [10, 12],
    ]);
    expect(chosen.withheld).toEqual([incName(12, 13), `full.${name(20)}`]);
  });
});

describe("verifying that the repository is the published one", () => {
  const verify = (
    chains: readonly Chain[],
    published: readonly PublishedChain[],
    hashes: readonly (readonly [string, string])[] = [],
  ) => verifyPublished({ chains, published, hashes: new Map(hashes) });
  const refused = "repository: ";

  it("accepts new sets and new chains", () => {
    expect(() => verify([chainOf(10, 11, 12)], [publishedOf(10, 11)])).not.toThrow();
    expect(() => verify([chainOf(10, 11), chainOf(20)], [publishedOf(10, 11)])).not.toThrow();
  });

  it("accepts that a chain was thinned out, or removed, once a newer one has begun", () => {
    expect(() => verify([chainOf(10), chainOf(20)], [publishedOf(10, 11)])).not.toThrow();
    expect(() => verify([chainOf(20)], [publishedOf(10, 11)])).not.toThrow();
  });

  it("accepts a fork that took the place of the newest set", () => {
    const chain = chainOf(10, 11);
    const forked = { ...chain, increments: [...chain.increments, setOf(increment(11, 13))] };
    expect(() => verify([forked], [publishedOf(10, 11, 12)])).not.toThrow();
  });

  it("refuses a chain that lost a published set", () => {
    expect(() => verify([chainOf(10, 11)], [publishedOf(10, 11, 12)])).toThrow(refused);
  });

  it("refuses a repository that is older than the publication", () => {
    expect(() => verify([chainOf(10)], [publishedOf(10), publishedOf(20)])).toThrow(refused);
    expect(() => verify([], [publishedOf(20)])).toThrow(refused);
  });

  it("refuses a published manifest that has another hash now", () => {
    const set = incName(10, 11);
    const published = [publishedOf(10, 11)];
    expect(() => verify([chainOf(10, 11)], published, [[set, "hash 11"]])).not.toThrow();
    expect(() => verify([chainOf(10, 11)], published, [[set, "other"]])).toThrow(refused);
  });
});
