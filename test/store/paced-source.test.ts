import { describe, expect, test } from "vitest";
import { constantRate, parseTimetable } from "../../src/bytes/timetable.js";
import { Pace, paced } from "../../src/store/paced-source.js";
import type { Source } from "../../src/store/source.js";

const KIB = 1024;

describe("a paced source", () => {
  test("lets the first bytes through at once and the others at the rate", async () => {
    const clock = { now: () => 0, monotonicMs: () => performance.now() };
    const source = paced(zeros(), new Pace(constantRate(1000 * KIB), clock));
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
    const pace = new Pace(constantRate(1000 * KIB), clock);
    const { signal } = new AbortController();
    const startMs = performance.now();
    const read = async (source: Source) =>
      source.read("file", { offset: 0, sizeBytes: 50 * KIB }, { signal });
    await Promise.all([paced(zeros(), pace), paced(zeros(), pace), paced(zeros(), pace)].map(read));
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(95);
  });

  test("changes its pace with the local time of day, for those who wait too", async () => {
    const { clock, turn } = clockAt(new Date(2026, 10, 21, 17, 59, 0));
    const source = paced(zeros(), new Pace(parseTimetable("08:00,1 18:00,off") ?? [], clock));
    const { signal } = new AbortController();
    const read = async () => source.read("file", { offset: 0, sizeBytes: 1000 * KIB }, { signal });
    await read();
    const waiting = [read(), read()];
    let isThrough = false;
    void Promise.all(waiting).then(() => {
      isThrough = true;
    });

    turn(59_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isThrough).toBe(false);
    turn(1000);

    // A minute is worth 60 of the 1000 KiB that are owed: it is the timetable that lets them through.
    await Promise.all(waiting);
  });

  test("is slow again when its time comes", async () => {
    const { clock, turn } = clockAt(new Date(2026, 10, 21, 7, 59, 59));
    const source = paced(zeros(), new Pace(parseTimetable("08:00,1 18:00,off") ?? [], clock));
    const stop = new AbortController();
    const read = async () =>
      source.read("file", { offset: 0, sizeBytes: 1000 * KIB }, { signal: stop.signal });
    await read();
    await read();

    turn(1000);
    await read();
    const waiting = read();
    turn(900_000);
    stop.abort(new Error("enough"));

    await expect(waiting).rejects.toThrow("enough");
  });

  test("gives up waiting when it is told to", async () => {
    const clock = { now: () => 0, monotonicMs: () => 0 };
    const source = paced(zeros(), new Pace(constantRate(1), clock));
    const stop = new AbortController();
    await source.read("file", { offset: 0, sizeBytes: 1000 }, { signal: stop.signal });
    const waiting = source.read("file", { offset: 0, sizeBytes: 1 }, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});

/** A clock that stands still until it is turned. */
function clockAt(date: Date) {
  let nowMs = date.getTime();
  const clock = { now: () => nowMs, monotonicMs: () => nowMs };
  const turn = (byMs: number): void => {
    nowMs += byMs;
  };
  return { clock, turn };
}

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
