/** Fetching from sources that are far away, and cut off without a word. */
import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { request } from "undici";
import { describe, expect, onTestFinished, test } from "vitest";
import { REPLICA_DEFAULTS } from "../../src/config/defaults.js";
import { HEDGE_FREE_BYTES } from "../../src/limits.js";
import { SourcePool } from "../../src/retrieve/source-pool.js";
import { retrieveStripes } from "../../src/retrieve/stripes.js";
import { openSource } from "../../src/store/open-source.js";
import { allStripes, type Published, pathOf, publish } from "../retrieve/published.js";
import { neverAborted, testRuntime } from "../store/runtime.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { type FarSource, NO_NETWORK, startFarSource } from "./support/network.js";

const MIB = 1024 * 1024;
const { limits } = REPLICA_DEFAULTS;

/** Far below the limits of a source. */
const MOST_HELD_MS = 5000;

describe.skipIf(NO_NETWORK !== undefined)(`sources 20 ms away (${NO_NETWORK ?? "real"})`, () => {
  test("that are cut off in mid-transfer cost no more than a moment, and serve again when healed", async () => {
    const published = await publish([new Random().bytes(24 * MIB)], { k: 2, n: 4 });
    const site = await startSite(published, { delayMs: 20 });
    const cutOff = site.slice(0, 2);

    const first = await retrieve(published, site, {
      atStripe: 4,
      act: () => Promise.all(cutOff.map((source) => source.cutOff())),
    });
    await Promise.all(cutOff.map((source) => source.heal()));
    const again = await retrieve(published, site);

    expect([first.hash, again.hash]).toStrictEqual([hashOf(published), hashOf(published)]);
    expect(first.heldMs).toBeLessThan(MOST_HELD_MS);
    for (const { bytes } of again.sources.slice(0, 2)) expect(bytes).toBeGreaterThan(MIB);
  });

  test.skipIf(process.env["SLOW"] === undefined)(
    "fill their links of 100 Mbit/s, and what is left of them when two are cut off (SLOW=1)",
    async () => {
      const published = await publish([largeBytes(192 * MIB)], { k: 3, n: 5 });
      const site = await startSite(published, { delayMs: 20, rate: "100mbit" });
      const raw = await rawRate(site.slice(0, 3), published);

      const whole = await retrieve(published, site);
      const cut = await retrieve(published, site, {
        atStripe: 64,
        act: () => Promise.all(site.slice(0, 2).map((source) => source.cutOff())),
      });

      const ratios = { whole: whole.rate / raw, afterTheCut: cut.rateAfter / raw };
      console.log("Mbit/s", { raw: mbit(raw), whole: mbit(whole.rate), cut: mbit(cut.rateAfter) });
      const extra = { whole: extraBytes(whole, published), cut: extraBytes(cut, published) };
      console.log({ ...ratios, stallMs: cut.stallMs, extra });
      expect([whole.hash, cut.hash]).toStrictEqual([hashOf(published), hashOf(published)]);
      expect(ratios.whole).toBeGreaterThan(0.8);
      expect(ratios.afterTheCut).toBeGreaterThan(0.7);
      expect(cut.stallMs).toBeLessThan(limits.idleMs);
      expect(extra.whole).toBeLessThan(HEDGE_FREE_BYTES);
    },
  );
});

/** A source for each share. */
async function startSite(
  { shares }: Published,
  link: { readonly delayMs: number; readonly rate?: string },
): Promise<FarSource[]> {
  return await Promise.all(
    shares.map(async (files) => {
      const folder = fastTemporaryFolder();
      for (const [name, bytes] of files) {
        mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
        writeFileSync(path.join(folder, name), bytes);
      }
      const source = await startFarSource(folder, link);
      onTestFinished(() => source.close());
      return source;
    }),
  );
}

interface Retrieval {
  readonly hash: string;
  readonly heldMs: number;
  readonly sources: readonly { readonly bytes: number }[];
  /** Stored bytes of stripes in a millisecond: of all, and of those after `act`. */
  readonly rate: number;
  readonly rateAfter: number;
  /** The longest time between two stripes. */
  readonly stallMs: number;
}

async function retrieve(
  published: Published,
  site: readonly FarSource[],
  during?: { readonly atStripe: number; readonly act: () => Promise<unknown> },
): Promise<Retrieval> {
  const runtime = testRuntime();
  const sources = site.map(({ url }, share) => {
    return { source: openSource({ url, name: `s${share}`, limits, runtime }), shares: [share] };
  });
  const pool = new SourcePool({ sources, runtime });
  const parts: Uint8Array[] = [];
  const times = [performance.now()];
  let heldBeforeMs = 0;
  try {
    const requests = allStripes(published);
    for await (const { bytes } of retrieveStripes({ pool, requests, signal: neverAborted() })) {
      parts.push(bytes);
      times.push(performance.now());
      if (parts.length !== during?.atStripe) continue;
      await during.act();
      heldBeforeMs = pool.beat.nowMs;
    }
  } finally {
    for (const { source } of sources) await source.close();
  }
  const rateFrom = (stripe: number): number => {
    const bytes = parts.slice(stripe).reduce((sum, part) => sum + part.length, 0);
    return bytes / ((times.at(-1) ?? 0) - (times[stripe] ?? 0));
  };
  return {
    hash: hash("sha256", Buffer.concat(parts)),
    heldMs: pool.beat.nowMs - heldBeforeMs,
    sources: pool.report(),
    rate: rateFrom(0),
    rateAfter: rateFrom(during?.atStripe ?? 0),
    stallMs: Math.max(...times.slice(1).map((time, at) => time - (times[at] ?? 0))),
  };
}

/** What plain parallel ranges move over all these links at once, in bytes a millisecond. */
async function rawRate(site: readonly FarSource[], { shares }: Published): Promise<number> {
  const startMs = performance.now();
  const moved = await Promise.all(
    site.map(async ({ url }, share) => {
      const sizeBytes = shares[share]?.get(pathOf(share))?.length ?? 0;
      const ranges = Array.from({ length: Math.floor(sizeBytes / (4 * MIB)) }, (_, at) => at);
      const worker = async (): Promise<void> => {
        for (let at = ranges.shift(); at !== undefined; at = ranges.shift()) {
          const range = `bytes=${at * 4 * MIB}-${(at + 1) * 4 * MIB - 1}`;
          const { body } = await request(`${url}/${pathOf(share)}`, { headers: { range } });
          await body.arrayBuffer();
        }
      };
      const bytes = ranges.length * 4 * MIB;
      await Promise.all([worker(), worker(), worker()]);
      return bytes;
    }),
  );
  return moved.reduce((sum, bytes) => sum + bytes, 0) / (performance.now() - startMs);
}

/** Bytes that do not compress, sooner made than all at random. */
function largeBytes(sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, new Random().bytes(7 * MIB + 13));
}

/** Beyond the blocks of k shares. */
function extraBytes({ sources }: Retrieval, { shares, shape }: Published): number {
  const needed = shape.k * (shares[0]?.get(pathOf(0))?.length ?? 0);
  return sources.reduce((sum, { bytes }) => sum + bytes, 0) - needed;
}

function hashOf({ contents }: Published): string {
  return hash("sha256", Buffer.concat(contents));
}

function mbit(bytesPerMs: number): number {
  return Math.round((bytesPerMs * 8) / 1000);
}
