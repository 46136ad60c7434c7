import { describe, expect, it } from "vitest";
import { chooseOffers, type Offer } from "../../src/retrieve/choose.js";
import { SourceScore } from "../../src/retrieve/source-score.js";

const WANTED = { count: 2, sizeBytes: 1_000_000, k: 2 };

describe("choosing shares", () => {
  it("takes the data shares while nothing speaks against them", () => {
    const offers = [offer(2, 0), offer(1, 0), offer(0, 0)];

    expect(sharesOf(chooseOffers(offers, WANTED)).sort()).toStrictEqual([0, 1]);
  });

  it("takes parity that comes clearly sooner, and not parity that comes a little sooner", () => {
    const slow = { ...offer(1, 1), costMs: 1000 };

    const littleSooner = chooseOffers([offer(0, 0), slow, { ...offer(2, 2), costMs: 600 }], WANTED);
    const muchSooner = chooseOffers([offer(0, 0), slow, { ...offer(2, 2), costMs: 400 }], WANTED);

    expect(sharesOf(littleSooner)).toStrictEqual([0, 1]);
    expect(sharesOf(muchSooner)).toStrictEqual([0, 2]);
  });

  it("takes anything rather than a source that failed, is wrong or lacks it", () => {
    const standings = ["avoided", "banned", "absent"] as const;
    const data = standings.map((standing, source) => ({ ...offer(0, source), standing }));
    const parity = { ...offer(2, 3), costMs: 1e6 };

    const first = chooseOffers([...data, parity], { ...WANTED, count: 1 });
    const left = chooseOffers(data.toReversed(), { ...WANTED, count: 1 });

    expect(sharesOf(first)).toStrictEqual([2]);
    expect(left.map(({ standing }) => standing)).toStrictEqual(["avoided"]);
  });

  it("takes each share once, from the quicker source", () => {
    const offers = [
      { ...offer(0, 0), costMs: 9 },
      { ...offer(0, 1), costMs: 3 },
      { ...offer(1, 0), costMs: 5 },
    ];

    expect(chooseOffers(offers, WANTED).map(({ source }) => source)).toStrictEqual([1, 0]);
  });

  it("spreads shares over sources that are equally quick", () => {
    const offers = [0, 1].flatMap((source) =>
      [0, 1].map((share) => ({ ...offer(share, source), costMs: 10, msPerByte: 1e-5 })),
    );

    const sources = chooseOffers(offers, WANTED).map(({ source }) => source);

    expect(sources).toStrictEqual([0, 1]);
  });

  it("gives fewer when there are fewer", () => {
    expect(sharesOf(chooseOffers([offer(5, 0), offer(5, 1)], WANTED))).toStrictEqual([5]);
    expect(chooseOffers([], WANTED)).toStrictEqual([]);
  });
});

describe("a source's score", () => {
  it("is the better the quicker it was, and forgets in time", () => {
    const [quick, slow] = [new SourceScore(), new SourceScore()];
    quick.succeeded(1_000_000, 10, 0);
    slow.succeeded(1_000_000, 1000, 0);

    expect(quick.costMs(1_000_000, 0)).toBeLessThan(slow.costMs(1_000_000, 0) / 50);
    expect(slow.costMs(1_000_000, 600_000)).toBeLessThan(slow.costMs(1_000_000, 0) / 500);
  });

  it("is the same for reads one after the other and for reads at once", () => {
    const [single, shared] = [new SourceScore(), new SourceScore()];
    for (const nowMs of [100, 200, 300]) single.succeeded(1_000_000, 100, nowMs);
    // Three together, on a line that they share: all end when all bytes have come.
    for (let read = 0; read < 3; read++) shared.succeeded(3_000_000, 300, 300);

    expect(shared.costMs(1_000_000, 300)).toBeCloseTo(single.costMs(1_000_000, 300), 0);
  });

  it("takes small reads for its delay", () => {
    const score = new SourceScore();
    for (let read = 0; read < 20; read++) score.succeeded(500, 40, 0);

    expect(score.costMs(500, 0)).toBeCloseTo(40, 0);
    expect(score.msPerByte(0)).toBe(0);
  });

  it("counts what is already asked for", () => {
    const score = new SourceScore();
    score.succeeded(1_000_000, 100, 0);
    const idle = score.costMs(1_000_000, 0);

    score.began(3_000_000);
    const busy = score.costMs(1_000_000, 0);
    score.settled(3_000_000);

    expect(busy).toBeCloseTo(4 * idle);
    expect(score.costMs(1_000_000, 0)).toBe(idle);
  });

  it("avoids a source after a failure, longer after each, and not after a success", () => {
    const score = new SourceScore();

    score.failed(0, 0);
    const afterOne = [999, 1000].map((nowMs) => score.standing(nowMs));
    score.failed(1000, 1000);
    const afterTwo = [2999, 3000].map((nowMs) => score.standing(nowMs));
    score.succeeded(1, 1, 3000);

    expect(afterOne).toStrictEqual(["avoided", "good"]);
    expect(afterTwo).toStrictEqual(["avoided", "good"]);
    expect(score.standing(3001)).toBe("good");
  });

  it("counts failures of requests that were under way together as one", () => {
    const score = new SourceScore();

    for (const nowMs of [10, 11, 12, 13]) score.failed(0, nowMs);

    expect(score.standing(1012)).toBe("avoided");
    expect(score.standing(1013)).toBe("good");
  });

  it("avoids a source that hangs for longer than the hanging took, up to ten minutes", () => {
    const [hung, hungLong] = [new SourceScore(), new SourceScore()];
    hung.failed(0, 30_000);
    hungLong.failed(0, 3_600_000);

    expect(hung.standing(149_999)).toBe("avoided");
    expect(hung.standing(150_000)).toBe("good");
    expect(hungLong.standing(4_200_000)).toBe("good");
  });

  it("is left alone for as long as it wants to be", () => {
    const score = new SourceScore();

    score.failed(0, 0, 3_600_000);

    expect(score.standing(3_599_999)).toBe("avoided");
    expect(score.standing(3_600_000)).toBe("good");
  });

  it("lets one request through to a source that failed, and no more until that is back", () => {
    const score = new SourceScore();
    score.failed(0, 0);

    const before = score.standing(5000);
    score.began(10);
    const during = score.standing(5000);

    expect([before, during]).toStrictEqual(["good", "avoided"]);
  });

  it("bans a source for good at the third answer that is wrong", () => {
    const score = new SourceScore();

    const standings = [1, 2, 3].map(() => {
      score.corrupted();
      return score.standing(0);
    });
    score.succeeded(1_000_000, 1, 0);

    expect(standings).toStrictEqual(["good", "good", "banned"]);
    expect(score.standing(1e9)).toBe("banned");
  });
});

function offer(share: number, source: number): Offer {
  return { share, source, standing: "good", costMs: 0, msPerByte: 0 };
}

function sharesOf(offers: readonly Offer[]): number[] {
  return offers.map(({ share }) => share);
}
