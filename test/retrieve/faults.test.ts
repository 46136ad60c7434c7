/** Every fault of an HTTP source, on as many sources as may fail, and on one more. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isMirrorError, type MirrorError } from "../../src/errors.js";
import { SourcePool } from "../../src/retrieve/source-pool.js";
import { type RetrievedStripe, retrieveStripes } from "../../src/retrieve/stripes.js";
import { openSource } from "../../src/store/open-source.js";
import type { SourceLimits } from "../../src/store/source.js";
import { type DeafServer, startDeafServer } from "../store/deaf-server.js";
import { HTTP_FAULTS, type HttpFault } from "../store/faults.js";
import { type FaultyServer, startFaultyServer } from "../store/faulty-server.js";
import { HASTY_LIMITS, neverAborted, PATIENT_LIMITS, testRuntime } from "../store/runtime.js";
import { combinations, Random } from "../support/random.js";
import { allStripes, joinFiles, type Published, publish } from "./published.js";

const random = new Random();

/** What sources may hold up a retrieval, two of them one after the other: far below any limit of theirs. */
const MOST_HELD_MS = 5000;

let deaf: DeafServer;
beforeAll(async () => {
  deaf = await startDeafServer();
});
afterAll(() => deaf.close());

const SHAPES = [
  { k: 2, n: 4 },
  { k: 3, n: 5 },
];
const CONTENTS = [random.bytes(1_300_000), Buffer.alloc(5000, "text "), random.bytes(100_000)];
const publications = SHAPES.map((shape) => publish(CONTENTS, shape));

describe("2 of 4 and 3 of 5 shares", () => {
  it.each(HTTP_FAULTS)("give every byte while each set of n - k sources $name", async (fault) => {
    await forEachShape(async (published, { k, n }) => {
      const site = await startSite(published, fault);
      await Promise.all(
        combinations(n, n - k).map(async (spoiled) => {
          const { files, heldMs } = await retrieveFrom(site, spoiled, PATIENT_LIMITS);
          for (const [at, bytes] of files.entries()) {
            expect(Buffer.compare(bytes, CONTENTS[at] ?? Buffer.alloc(0)), spoiled.join()).toBe(0);
          }
          expect(heldMs, spoiled.join()).toBeLessThan(MOST_HELD_MS);
        }),
      );
      for (const server of site.faulty) {
        await expect.poll(() => server.openConnections(), { timeout: 20_000 }).toBe(0);
      }
    });
  });

  it(`are too few with one more, and every source's fault is told (seed ${random.seed})`, async () => {
    await forEachShape(async (published, { k, n }) => {
      await Promise.all(
        HTTP_FAULTS.map(async (fault) => {
          const site = await startSite(published, fault);
          const spoiled = random.pick(combinations(n, n - k + 1));
          const failure = await failureOf(retrieveFrom(site, spoiled, HASTY_LIMITS));
          const told = spoiled.map((share) => `share ${share}: ${fault.code} at s${share}`);
          expect(failure).toMatchObject({ code: "SHARES_TOO_FEW" });
          expect(failure.message, fault.name).toContain(
            `${k - 1} good shares, ${k} needed; ${told.join("; ")}`,
          );
        }),
      );
    });
  });
});

async function forEachShape(
  work: (published: Published, shape: Published["shape"]) => Promise<void>,
): Promise<void> {
  const all = await Promise.all(publications);
  await Promise.all(all.map((published) => work(published, published.shape)));
}

/** For each share a server that serves it well, and one that does not. */
interface Site {
  readonly published: Published;
  readonly good: readonly FaultyServer[];
  readonly faulty: readonly FaultyServer[];
  readonly faultyUrls: readonly string[];
}

async function startSite(published: Published, { misbehave }: HttpFault): Promise<Site> {
  const start = () =>
    Promise.all(published.shares.map((files) => startFaultyServer(Object.fromEntries(files))));
  const good = await start();
  if (misbehave === undefined) {
    return { published, good, faulty: [], faultyUrls: good.map(() => deaf.url) };
  }
  const faulty = await start();
  for (const server of faulty) server.misbehave(misbehave(server.files));
  return { published, good, faulty, faultyUrls: faulty.map(({ url }) => url) };
}

async function retrieveFrom(
  { published, good, faultyUrls }: Site,
  spoiled: readonly number[],
  limits: SourceLimits,
): Promise<{ readonly files: readonly Uint8Array[]; readonly heldMs: number }> {
  const runtime = testRuntime();
  const sources = good.map(({ url: goodUrl }, share) => {
    const url = (spoiled.includes(share) ? faultyUrls[share] : undefined) ?? goodUrl;
    return { source: openSource({ url, name: `s${share}`, limits, runtime }), shares: [share] };
  });
  const pool = new SourcePool({ sources, runtime });
  const stripes: RetrievedStripe[] = [];
  try {
    const requests = allStripes(published);
    for await (const stripe of retrieveStripes({ pool, requests, signal: neverAborted() })) {
      stripes.push(stripe);
    }
  } finally {
    for (const { source } of sources) await source.close();
  }
  return { files: joinFiles(published, stripes), heldMs: pool.beat.nowMs };
}

async function failureOf(work: Promise<unknown>): Promise<MirrorError> {
  try {
    await work;
  } catch (error) {
    if (isMirrorError(error)) return error;
    throw error;
  }
  throw new Error("expected a failure");
}
