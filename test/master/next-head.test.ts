import { describe, expect, it } from "vitest";
import type { Head } from "../../src/manifest/head.js";
import type { LedgerLine } from "../../src/manifest/ledger.js";
import { planHead, refreshAt } from "../../src/master/next-head.js";
import type { LedgerChain } from "../../src/master/publication.js";

const LIFETIME_MS = 1000;

function chainOf(chain: number, hash: string): LedgerChain {
  const table = { kind: "paged", pages: [] } as const;
  const line: LedgerLine = {
    ...{ previous: "", set: { kind: "full", time: chain }, manifestHash: "" },
    ...{ shape: { k: 2, n: 3 }, entryCount: 0 },
    ...{ volumes: table, records: table, contents: table },
  };
  return { chain, sizeBytes: 100, lastLineHash: hash, lines: [line] };
}

function plan(change: Partial<Parameters<typeof planHead>[0]>): ReturnType<typeof planHead> {
  return planHead({
    mirror: "pub",
    session: "session",
    published: undefined,
    chains: [chainOf(10, "a")],
    withheld: new Set(),
    sources: [],
    retainChains: 2,
    lifetimeMs: LIFETIME_MS,
    now: 5000,
    ...change,
  });
}

function publishedHead(): Head {
  const next = plan({});
  if (next === undefined) throw new Error("a first head was expected");
  return next.head;
}

describe("planning the next head", () => {
  it("begins with generation 1, and says nothing while there is nothing", () => {
    expect(plan({})).toMatchObject({ why: "sets", head: { generation: 1, publishedAt: 5000 } });
    expect(plan({ chains: [] })).toBeUndefined();
  });

  it("leaves a head alone that says it all, and renews it at half its life", () => {
    const published = publishedHead();
    expect(refreshAt(published)).toBe(5500);
    expect(plan({ published, now: 5499 })).toBeUndefined();
    expect(plan({ published, now: 5500 })).toMatchObject({
      why: "refresh",
      head: { generation: 2, publishedAt: 5500, expiresAt: 6500 },
    });
  });

  it("names new sets, new chains and other sources at once", () => {
    const published = publishedHead();
    const named = { published, now: 5001 };
    expect(plan({ ...named, chains: [chainOf(10, "b")] })?.why).toBe("sets");
    expect(plan({ ...named, chains: [chainOf(10, "a"), chainOf(20, "c")] })?.why).toBe("sets");
    const sources = [{ name: "a", url: "http://a.example", shares: [0] }];
    expect(plan({ ...named, sources })?.why).toBe("settings");
  });

  it("names no more chains than are retained, the newest of them", () => {
    const chains = [chainOf(10, "a"), chainOf(20, "b"), chainOf(30, "c")];
    const head = plan({ chains })?.head;
    expect(head?.ledgers.map(({ chain }) => chain)).toEqual([20, 30]);
    expect(head?.newest.chain).toBe(30);
  });

  it("goes on with the published head while the newest set is withheld", () => {
    const published = publishedHead();
    const chains = [chainOf(10, "a"), chainOf(20, "b")];
    const withheld = new Set(["full.19700101T000020Z"]);
    expect(plan({ published, chains, withheld, now: 5001 })).toBeUndefined();
    expect(plan({ published, chains, withheld, now: 5600 })?.head.newest.chain).toBe(10);
    expect(plan({ chains, withheld })).toBeUndefined();
  });

  it("never says that it was published before the head it replaces", () => {
    const published = publishedHead();
    const next = plan({ published, chains: [chainOf(10, "b")], now: 100 });
    expect(next?.head).toMatchObject({ publishedAt: 5000, expiresAt: 6000 });
  });
});
