import { describe, expect, test } from "vitest";
import { Pace, paced } from "../../src/store/paced-source.js";
import type { Source } from "../../src/store/source.js";

const KIB = 1024;

describe("a paced source", () => {
  test("lets the first bytes through at once and the others at the rate", async () => {
    const clock = { now: () => 0, monotonicMs: () => performance.now() };
    const source = paced(zeros(), new Pace(1000 * KIB, clock));
    const { signal } = new AbortController();
    const startMs = performance.now();
    for (let read = 0; read < 4; read++) {
      await source.read("file", { offset: 0, sizeBytes: 50 * KIB }, { signal });
    }
    // Four reads of 50 ms each: the last begins when three have had their time.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(145);
  });

  test("shares its pace with others", async () => {
    const clock = { now: () => 0, monotonicMs: () => performance.now() };
    const pace = new Pace(1000 * KIB, clock);
    const { signal } = new AbortController();
    const startMs = performance.now();
    const read = async (source: Source) =>
      source.read("file", { offset: 0, sizeBytes: 50 * KIB }, { signal });
    await Promise.all([paced(zeros(), pace), paced(zeros(), pace), paced(zeros(), pace)].map(read));
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(95);
  });

  test("gives up waiting when it is told to", async () => {
    const clock = { now: () => 0, monotonicMs: () => 0 };
    const source = paced(zeros(), new Pace(1, clock));
    const stop = new AbortController();
    await source.read("file", { offset: 0, sizeBytes: 1000 }, { signal: stop.signal });
    const waiting = source.read("file", { offset: 0, sizeBytes: 1 }, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});

function zeros(): Source {
  return {
    name: "zeros",
    url: "memory:zeros",
    readHead: () => Promise.resolve(undefined),
    read: (_, { sizeBytes }) => Promise.resolve(new Uint8Array(sizeBytes)),
    traffic: { bytes: 0, requests: 0 },
    close: () => Promise.resolve(),
  };
}
