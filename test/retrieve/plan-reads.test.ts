import { describe, expect, it } from "vitest";
import { Gathering } from "../../src/retrieve/gathering.js";
import { planReads, type ReadUnderWay, type ShareRead } from "../../src/retrieve/plan-reads.js";
import { planRuns, type Run } from "../../src/retrieve/plan-runs.js";
import type { SourcePool } from "../../src/retrieve/source-pool.js";
import { Random } from "../support/random.js";
import { allStripes, pathOf, poolOf, publish, sourcePerShare, wholeSource } from "./published.js";

const LIMITS = { rangeBytes: 1e6, memoryBytes: 1e7, gapBytes: 0, itemCount: 10 };

describe("of five shares, three needed", () => {
  it("three are asked for at once", async () => {
    const stripe = await oneStripe();

    const { reads, spares } = plan(stripe, []);

    expect(sharesOf(reads)).toStrictEqual([0, 1, 2]);
    expect(spares).toStrictEqual([]);
  });

  it("none is asked for while three are on their way, at any pace that will do", async () => {
    const stripe = await oneStripe();

    expect(
      plan(
        stripe,
        [0, 1, 2].map((share) => underWay(stripe, share)),
      ),
    ).toStrictEqual({
      reads: [],
      spares: [],
    });
  });

  it("a spare one is asked for instead of a slow one, of another source", async () => {
    const stripe = await oneStripe();
    const slow = { ...underWay(stripe, 1), isSlow: true };

    const { reads, spares } = plan(stripe, [underWay(stripe, 0), slow, underWay(stripe, 2)]);

    expect(reads).toStrictEqual([]);
    expect(spares).toMatchObject([{ share: 1, source: 5, insteadOf: slow }]);
  });

  it("one that failed is asked for elsewhere, and is no spare one", async () => {
    const stripe = await oneStripe();
    stripe.gathering.refuse({ share: 1, source: 1, code: "SOURCE_TIMEOUT", wasPatient: false });

    const { reads, spares } = plan(stripe, [underWay(stripe, 0), underWay(stripe, 2)]);

    expect(reads).toMatchObject([{ share: 1, source: 5, isPatient: false }]);
    expect(spares).toStrictEqual([]);
  });

  it("one that is on its way counts no more when its share has come from elsewhere", async () => {
    const stripe = await oneStripe();
    await stripe.gathering.offer(0, stripe.blocks[0] ?? new Uint8Array());

    const { reads } = plan(stripe, [underWay(stripe, 0), underWay(stripe, 1)]);

    expect(sharesOf(reads)).toStrictEqual([2]);
  });
});

interface OneStripe {
  readonly run: Run;
  readonly gathering: Gathering;
  readonly pool: SourcePool;
  readonly blocks: readonly (Uint8Array | undefined)[];
}

/** A source for each share, and source 5 for all. */
async function oneStripe(): Promise<OneStripe> {
  const published = await publish([new Random(5).bytes(3000)], { k: 3, n: 5 });
  const [run] = planRuns(allStripes(published), LIMITS);
  const [item] = run?.items ?? [];
  if (run === undefined || item === undefined) throw new Error("no run");
  const pool = poolOf([...sourcePerShare(published), wholeSource("whole", published)]);
  const blocks = published.shares.map((files, share) => files.get(pathOf(share)));
  return { run, gathering: new Gathering(item), pool, blocks };
}

function plan({ pool, run, gathering }: OneStripe, reads: readonly ReadUnderWay[]) {
  return planReads(pool, run.file, { hungry: [gathering], underWay: reads });
}

/** From the source of that share. */
function underWay({ gathering }: OneStripe, share: number): ReadUnderWay {
  const range = { offset: 0, sizeBytes: 1000 };
  const wanted = { share, source: share, path: pathOf(share), range, isPatient: false };
  return { wanted: { ...wanted, gatherings: [gathering] }, isSlow: false };
}

function sharesOf(reads: readonly ShareRead[]): number[] {
  return reads.map(({ share }) => share).sort();
}
