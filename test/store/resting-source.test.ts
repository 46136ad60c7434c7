import { describe, expect, it } from "vitest";
import { MirrorError } from "../../src/errors.js";
import { Rests, resting } from "../../src/store/resting-source.js";
import { retrying } from "../../src/store/retrying-source.js";
import { MemorySource } from "./memory-source.js";
import { neverAborted, testRuntime } from "./runtime.js";

const RANGE = { offset: 0, sizeBytes: 2 };
const signal = neverAborted();

describe("a source that wants to be left alone", () => {
  it("is not asked until then, by nobody who knows", async () => {
    const { memory, rests, runtime } = stage({ retryAfterMs: 60_000 });
    const first = resting(memory, rests, runtime);
    await expect(first.read("f", RANGE, { signal })).rejects.toThrow("busy");

    const second = resting(memory, rests, runtime);
    const read = () => second.read("f", RANGE, { signal });
    const head = () => first.readHead({ signal });

    const told = {
      code: "SOURCE_UNREACHABLE",
      message: "memory:memory wants to be left alone for 1m more",
      retryAfterMs: 60_000,
    };
    await expect(read()).rejects.toMatchObject(told);
    await expect(head()).rejects.toMatchObject(told);
    expect(memory.reads).toHaveLength(1);
  });

  it("is asked again after that", async () => {
    const { memory, rests, runtime, turn } = stage({ retryAfterMs: 60_000 });
    const source = resting(memory, rests, runtime);
    await expect(source.read("f", RANGE, { signal })).rejects.toThrow("busy");

    turn(60_000);

    expect([...(await source.read("f", RANGE, { signal }))]).toStrictEqual([1, 2]);
  });

  it("is asked by many at times that differ", async () => {
    const { memory, rests, runtime, turn } = stage({ retryAfterMs: 60_000, random: 0.999 });
    const source = resting(memory, rests, runtime);
    await expect(source.read("f", RANGE, { signal })).rejects.toThrow("busy");

    turn(65_900);

    await expect(source.read("f", RANGE, { signal })).rejects.toThrow("left alone for 94ms more");
  });

  it("is waited for when that is not for long", async () => {
    const memory = new MemorySource("memory", new Map([["f", Uint8Array.of(1, 2, 3)]]));
    memory.fault = busyOnce(20);
    const patient = retrying(resting(memory, new Rests(), testRuntime()), PATIENCE);

    expect([...(await patient.read("f", RANGE, { signal }))]).toStrictEqual([1, 2]);
    expect(memory.reads).toHaveLength(2);
  });

  it("is not waited for when that is too long", async () => {
    const { memory, rests, runtime } = stage({ retryAfterMs: 1001 });
    const patient = retrying(resting(memory, rests, runtime), PATIENCE);

    await expect(patient.read("f", RANGE, { signal })).rejects.toThrow("busy");
    expect(memory.reads).toHaveLength(1);
  });
});

const PATIENCE = { random: () => 0.5, attempts: 2, delayMs: 1, restMaxMs: 1000 };

/** A source that is busy the first time, and a clock that stands still until it is turned. */
function stage(how: { readonly retryAfterMs: number; readonly random?: number }) {
  let nowMs = 1_000_000;
  const memory = new MemorySource("memory", new Map([["f", Uint8Array.of(1, 2, 3)]]));
  memory.fault = busyOnce(how.retryAfterMs);
  const runtime = {
    ...testRuntime(),
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    random: () => how.random ?? 0,
  };
  const turn = (byMs: number): void => {
    nowMs += byMs;
  };
  return { memory, rests: new Rests(), runtime, turn };
}

function busyOnce(retryAfterMs: number): NonNullable<MemorySource["fault"]> {
  let isFirst = true;
  return (_path, _range, bytes) => {
    if (!isFirst) return bytes;
    isFirst = false;
    throw new MirrorError("SOURCE_UNREACHABLE", "busy", { retryAfterMs });
  };
}
