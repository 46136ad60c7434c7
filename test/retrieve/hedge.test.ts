import { describe, expect, it } from "vitest";
import { HEDGE_FREE_BYTES, HEDGE_MIN_MS, HEDGE_SHARE, HEDGE_START_MS } from "../../src/limits.js";
import { HedgeBudget, isSlow } from "../../src/retrieve/hedge.js";
import { type ReadProgress, Tempo } from "../../src/retrieve/tempo.js";

const MIB = 1024 * 1024;
const EXPECTED = { patienceMs: 500, othersBytesPerMs: 1000 };

describe("a read is slow", () => {
  it.each([
    ["that was never answered", { elapsedMs: 500, silentMs: 500 }, true],
    ["that was not answered yet", { elapsedMs: 450, silentMs: 450 }, false],
    ["that still waits its turn", { elapsedMs: 0, silentMs: 0 }, false],
    ["that stalls near its end", { elapsedMs: 900, silentMs: 500, receivedBytes: MIB - 1 }, true],
    ["that goes as others do", { elapsedMs: 900, silentMs: 50, receivedBytes: 900_000 }, false],
    ["at half the pace of others", { elapsedMs: 600, silentMs: 50, receivedBytes: 300_000 }, false],
    ["at a tenth of it", { elapsedMs: 600, silentMs: 50, receivedBytes: 60_000 }, true],
    ["of drops", { elapsedMs: 600, silentMs: 50, receivedBytes: 10 }, true],
    ["at a tenth, almost there", { elapsedMs: 9000, silentMs: 50, receivedBytes: 900_000 }, false],
  ])("%s", (_, shown, expected) => {
    expect(isSlow(progress(shown), EXPECTED)).toBe(expected);
  });

  it("only if it is very slow, while nobody knows better", () => {
    const shown = progress({ elapsedMs: 5000, silentMs: 50, receivedBytes: 20_000 });
    const drops = progress({ elapsedMs: 5000, silentMs: 50, receivedBytes: 500 });

    expect(isSlow(shown, { patienceMs: 500, othersBytesPerMs: undefined })).toBe(false);
    expect(isSlow(drops, { patienceMs: 500, othersBytesPerMs: undefined })).toBe(true);
  });

  it("not when all others are as slow, unless all of them drip", () => {
    const shown = progress({ elapsedMs: 5000, silentMs: 50, receivedBytes: 10_000 });
    const drops = progress({ elapsedMs: 5000, silentMs: 50, receivedBytes: 5 });

    expect(isSlow(shown, { patienceMs: 500, othersBytesPerMs: 2 })).toBe(false);
    expect(isSlow(drops, { patienceMs: 500, othersBytesPerMs: 0.001 })).toBe(true);
  });
});

describe("patience", () => {
  it("is the least while reads go well, and grows with what is usual", () => {
    const tempo = new Tempo();
    for (let read = 0; read < 50; read++) tempo.ended(0, progress({ longestSilenceMs: 100 }));
    const quick = tempo.patienceMs;
    for (let read = 0; read < 50; read++) tempo.ended(0, progress({ longestSilenceMs: 1000 }));

    expect(quick).toBe(HEDGE_MIN_MS);
    expect(tempo.patienceMs).toBe(3000);
  });

  it("is longer until anything is known", () => {
    const tempo = new Tempo();
    tempo.went(0, progress({ elapsedMs: 1000, silentMs: 1000 }));

    expect(tempo.patienceMs).toBe(HEDGE_START_MS);
  });

  it("is not changed by the few that were slow, and forgets", () => {
    const tempo = new Tempo();
    tempo.ended(0, progress({ longestSilenceMs: 60_000 }));
    for (let read = 0; read < 64; read++) tempo.ended(0, progress({ longestSilenceMs: 100 }));
    for (let read = 0; read < 5; read++) tempo.ended(0, progress({ longestSilenceMs: 9000 }));

    expect(tempo.patienceMs).toBe(HEDGE_MIN_MS);
  });
});

describe("the pace of others", () => {
  it("is the middle of all but its own", () => {
    const tempo = new Tempo();
    const rates = [5, 100, 200, 300];
    for (const [source, rate] of rates.entries()) {
      tempo.ended(source, progress({ elapsedMs: 20_000, receivedBytes: rate * 20_000 }));
    }

    expect(tempo.rateOfOthers(0)).toBe(200);
    expect(tempo.rateOfOthers(3)).toBe(100);
    expect(new Tempo().rateOfOthers(0)).toBeUndefined();
  });

  it("comes down while they are slow, before their reads end", () => {
    const tempo = new Tempo();
    tempo.ended(1, progress({ elapsedMs: 100, receivedBytes: MIB }));
    tempo.went(1, progress({ elapsedMs: 1000, receivedBytes: 2000 }));

    expect(tempo.rateOfOthers(0)).toBe(2);
  });

  it("is not told by small reads", () => {
    const tempo = new Tempo();
    tempo.ended(1, progress({ elapsedMs: 50, receivedBytes: 1000 }));

    expect(tempo.rateOfOthers(0)).toBeUndefined();
  });
});

describe("the budget of spare reads", () => {
  it("is some bytes that are free, and a share of what is asked for", () => {
    const budget = new HedgeBudget();
    const free = budget.reserve(HEDGE_FREE_BYTES);
    const more = budget.reserve(1);
    budget.asked(100 * MIB);

    const share = budget.reserve(100 * MIB * HEDGE_SHARE);

    expect([free, more, share, budget.reserve(1)]).toStrictEqual([true, false, true, false]);
  });

  it("has back what a spare read did not take, less what came in vain", () => {
    const budget = new HedgeBudget();
    budget.reserve(HEDGE_FREE_BYTES);
    budget.settled(HEDGE_FREE_BYTES);
    budget.wasted(1000);

    expect(budget.reserve(HEDGE_FREE_BYTES - 999)).toBe(false);
    expect(budget.reserve(HEDGE_FREE_BYTES - 1000)).toBe(true);
  });
});

function progress(shown: Partial<ReadProgress>): ReadProgress {
  return {
    sizeBytes: MIB,
    receivedBytes: 0,
    elapsedMs: 0,
    silentMs: 0,
    longestSilenceMs: 0,
    ...shown,
  };
}
