/** Sources that hang, in a world without any limit: only another source helps. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { constantRate } from "../../src/bytes/timetable.js";
import { isMirrorError, MirrorError } from "../../src/errors.js";
import { HEDGE_FREE_BYTES, HEDGE_MIN_MS, HEDGE_SHARE, HEDGE_START_MS } from "../../src/limits.js";
import { readDocument } from "../../src/retrieve/document.js";
import { SourcePool } from "../../src/retrieve/source-pool.js";
import { type RetrievedStripe, retrieveStripes } from "../../src/retrieve/stripes.js";
import { Pace, paced } from "../../src/store/paced-source.js";
import { blackHole, type Fault, MemorySource, unreachable } from "../store/memory-source.js";
import { neverAborted, testRuntime } from "../store/runtime.js";
import { combinations, Random } from "../support/random.js";
import {
  allStripes,
  joinFiles,
  type Published,
  poolOf,
  publish,
  sourcePerShare,
  wholeSource,
} from "./published.js";

const MIB = 1024 * 1024;
const random = new Random();

/** The delay of a hedge while nothing is known, and a beat for each turn that a run takes. */
const FIRST_DELAY_MS = HEDGE_START_MS + 300;

const PATIENTLY = { timeout: 20_000 };

describe("a source that never answers", () => {
  const shape = { k: 2, n: 4 };
  const published = publish([random.bytes(2 * MIB), Buffer.alloc(3000, "text ")], shape);

  it("holds a run up for the delay of a hedge, and is given up then", async () => {
    await Promise.all(
      combinations(4, 2).map(async (silent) => {
        const sources = sourcePerShare(await published);
        for (const [share, source] of sources.entries()) {
          if (silent.includes(share)) source.fault = blackHole;
        }
        const pool = poolOf(sources);

        await expectAll(pool, await published);

        expect(pool.beat.nowMs, silent.join()).toBeLessThanOrEqual(FIRST_DELAY_MS + HEDGE_MIN_MS);
        expect(sources.map(({ active }) => active)).toStrictEqual([0, 0, 0, 0]);
      }),
    );
  });

  it("holds up nobody who comes later", async () => {
    const many = Array.from({ length: 40 }, () => random.bytes(9000));
    const small = await publish(many, shape, 5000);
    const sources = sourcePerShare(small);
    const [first] = sources;
    if (first !== undefined) first.fault = blackHole;
    const pool = poolOf(sources);

    await expectAll(pool, small);
    const afterOnceMs = pool.beat.nowMs;
    await expectAll(pool, small);

    expect(afterOnceMs).toBeLessThanOrEqual(FIRST_DELAY_MS);
    expect(pool.beat.nowMs).toBeLessThanOrEqual(afterOnceMs + 300);
    expect(first?.reads.length).toBeLessThanOrEqual(7);
  });

  it("is told in the log and the report", async () => {
    const sources = sourcePerShare(await published);
    const [first] = sources;
    if (first !== undefined) first.fault = blackHole;
    const runtime = testRuntime();
    const pool = poolOf(sources, runtime);

    await expectAll(pool, await published);

    expect(runtime.lines).toContainEqual(
      expect.stringMatching(
        /^warn source.failed source=s0 .* code=SOURCE_TIMEOUT message=memory:s0: .* 0 of \d+ bytes in \d+ ms, asked for elsewhere$/,
      ),
    );
    expect(pool.report()[0]?.errors).toBeGreaterThan(0);
  });

  it("is waited for when nobody else has the share", async () => {
    const sources = sourcePerShare(await published).slice(0, 2);
    const [first] = sources;
    let release: () => void = () => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    if (first !== undefined) {
      first.fault = async (_path, _range, bytes) => {
        await stuck;
        return bytes;
      };
    }
    const pool = poolOf(sources);

    const all = expectAll(pool, await published);
    await expect.poll(() => pool.beat.nowMs, PATIENTLY).toBeGreaterThan(HEDGE_START_MS);
    release();

    await all;
    expect(first?.reads).toHaveLength(1);
  });

  it("of a document is passed over", async () => {
    const [silent, good] = [new MemorySource("a"), new MemorySource("b")];
    for (const source of [silent, good]) source.files.set("ledger", Buffer.from("lines"));
    silent.fault = blackHole;
    const pool = poolOf([silent, good]);

    const text = await readDocument(pool, {
      path: "ledger",
      range: { offset: 0, sizeBytes: 5 },
      check: String,
      signal: neverAborted(),
    });

    expect(text).toBe("lines");
    expect(pool.beat.nowMs).toBeLessThanOrEqual(FIRST_DELAY_MS);
    expect([silent.active, good.active]).toStrictEqual([0, 0]);
  });
});

describe("what is read twice", () => {
  it("is nothing while all goes well", async () => {
    const published = await publish([random.bytes(20 * MIB)], { k: 3, n: 5 });
    const sources = sourcePerShare(published);

    await expectAll(poolOf(sources), published);

    const askedBytes = sources
      .flatMap(({ reads }) => reads)
      .map((read) => Number(read.split("+")[1]));
    expect(askedBytes.reduce((sum, size) => sum + size, 0)).toBe(3 * blockBytes(published));
  });

  it("is nothing while a limit of ours makes reads wait", async () => {
    const published = await publish([random.bytes(600_000)], { k: 2, n: 4 });
    const sources = sourcePerShare(published);
    const runtime = testRuntime();
    const pace = new Pace(constantRate(400_000), runtime.clock);
    const pooled = sources.map((source, share) => ({
      source: paced(source, pace),
      shares: [share],
    }));
    const pool = new SourcePool({ sources: pooled, runtime });

    await expectAll(pool, published);

    expect(sources.map(({ reads }) => reads.length)).toStrictEqual([1, 1, 0, 0]);
  });

  it(`is bounded, however many reads hang (seed ${random.seed})`, async () => {
    const published = await publish([random.bytes(40 * MIB)], { k: 2, n: 5 });
    const sources = sourcePerShare(published);
    for (const [share, source] of sources.entries()) {
      const own = new Random(random.seed + share);
      source.fault = (...read) => own.pick([late, good, good])(...read);
    }
    const pool = poolOf(sources);

    await expectAll(pool, published);

    const movedBytes = pool.report().reduce((sum, { bytes }) => sum + bytes, 0);
    const neededBytes = 2 * blockBytes(published);
    expect(movedBytes).toBeLessThanOrEqual(neededBytes * (1 + HEDGE_SHARE) + HEDGE_FREE_BYTES);
  });
});

it(`any mixture of faults ends in the right bytes, or says what is missing (seed ${random.seed})`, async () => {
  const contents = [random.bytes(3 * MIB), ...Array.from({ length: 20 }, () => random.bytes(9000))];
  const published = await publish(contents, { k: 2, n: 4 }, 5000);
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, async (_, round) => {
      const own = new Random(random.seed + round);
      const sources = [...sourcePerShare(published), wholeSource("whole", published)];
      for (const source of sources) {
        const faults = [good, good, own.pick([good, hung, late, corrupt, unreachable])];
        source.fault = (...read) => own.pick(faults)(...read);
      }
      const outcome = await expectAll(poolOf(sources), published).then(
        () => "all",
        (error: unknown) => (isMirrorError(error, "SHARES_TOO_FEW") ? "too few" : error),
      );
      expect(sources.map(({ active }) => active)).toStrictEqual([0, 0, 0, 0, 0]);
      return outcome;
    }),
  );

  expect(["all", "too few"]).toEqual(expect.arrayContaining(outcomes));
  expect(outcomes).toContain("all");
});

async function expectAll(pool: SourcePool, published: Published): Promise<void> {
  const stripes: RetrievedStripe[] = [];
  const requests = allStripes(published);
  for await (const stripe of retrieveStripes({ pool, requests, signal: neverAborted() })) {
    stripes.push(stripe);
  }
  for (const [at, bytes] of joinFiles(published, stripes).entries()) {
    expect(Buffer.compare(bytes, published.contents[at] ?? Buffer.alloc(0))).toBe(0);
  }
}

/** Of one share. */
function blockBytes({ shares }: Published): number {
  return [...(shares[0]?.values() ?? [])].reduce((sum, { length }) => sum + length, 0);
}

/** No answer, until the limit of the source. */
const hung: Fault = async (path, _range, _bytes, signal) => {
  await Promise.race([once(signal, "abort"), new Promise((end) => setTimeout(end, 4000))]);
  signal.throwIfAborted();
  throw new MirrorError("SOURCE_TIMEOUT", `${path}: no answer`);
};

/** Every byte is another one. */
const corrupt: Fault = (_path, _range, bytes) => bytes.map((byte) => byte ^ 0x55);

const good: Fault = (_path, _range, bytes) => bytes;

/** Answers in full, but so late that another source has been asked. */
const late: Fault = async (_path, _range, bytes) => {
  await new Promise((resolve) => setTimeout(resolve, 2 * HEDGE_MIN_MS));
  return bytes;
};
