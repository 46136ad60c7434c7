import { describe, expect, it } from "vitest";
import { SingleFlight } from "../../src/daemon/single-flight.js";

/** Work whose ends are in our hands. */
function controlled() {
  const runs: { end: () => void; fail: (error: Error) => void }[] = [];
  const flight = new SingleFlight(
    async () =>
      new Promise<number>((resolve, reject) => {
        const number = runs.length + 1;
        runs.push({ end: () => resolve(number), fail: reject });
      }),
  );
  return { flight, runs };
}

describe("SingleFlight", () => {
  it("owes at most one more run while one works", async () => {
    const { flight, runs } = controlled();
    const first = flight.request();
    const others = [flight.request(), flight.request(), flight.request()];
    expect(runs).toHaveLength(1);
    runs[0]?.end();
    expect(await first).toBe(1);
    await Promise.resolve();
    runs[1]?.end();
    expect(await Promise.all(others)).toEqual([2, 2, 2]);
    expect(runs).toHaveLength(2);
  });

  it("gives those who ask during the owed run a later one", async () => {
    const { flight, runs } = controlled();
    const first = flight.request();
    const second = flight.request();
    runs[0]?.end();
    await first;
    await Promise.resolve();
    const third = flight.request();
    runs[1]?.end();
    expect(await second).toBe(2);
    await Promise.resolve();
    runs[2]?.end();
    expect(await third).toBe(3);
  });

  it("runs what is owed after a failure too", async () => {
    const { flight, runs } = controlled();
    const first = flight.request();
    const second = flight.request();
    runs[0]?.fail(new Error("broken"));
    await expect(first).rejects.toThrow("broken");
    await Promise.resolve();
    runs[1]?.end();
    expect(await second).toBe(2);
  });

  it("is idle when nothing runs and nothing is owed", async () => {
    const { flight, runs } = controlled();
    const first = flight.request();
    const second = flight.request();
    const idle = flight.idle();
    runs[0]?.end();
    await first;
    await Promise.resolve();
    runs[1]?.end();
    await idle;
    expect(await second).toBe(2);
    await flight.idle();
  });
});
