import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Beat } from "../../src/retrieve/beat.js";
import { Progress } from "../../src/retrieve/progress.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the beat", () => {
  it("goes while somebody listens, for all who do", () => {
    const beat = new Beat();
    const heard: string[] = [];
    const stopOne = beat.listen(() => heard.push("one"));
    const stopTwo = beat.listen(() => heard.push("two"));

    vi.advanceTimersByTime(50);
    stopOne();
    vi.advanceTimersByTime(50);
    stopTwo();
    vi.advanceTimersByTime(5000);

    expect(heard).toStrictEqual(["one", "two", "two"]);
    expect(beat.nowMs).toBe(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has one step for a turn that took long", () => {
    const beat = new Beat();
    const stop = beat.listen(() => undefined);

    vi.setSystemTime(Date.now() + 60_000);
    vi.advanceTimersByTime(50);
    stop();

    expect(beat.nowMs).toBe(50);
  });
});

describe("the progress of a read", () => {
  it("begins when the source is asked", () => {
    const { progress, pass } = begin();

    pass(1000);
    const waiting = progress.silentMs;
    progress.asked();
    pass(300);

    expect(waiting).toBe(0);
    expect([progress.elapsedMs, progress.silentMs]).toStrictEqual([300, 300]);
  });

  it("knows the longest silence, and what has come", () => {
    const { progress, pass } = begin();
    progress.asked();

    pass(400);
    progress.received(10);
    pass(100);
    progress.received(20);
    pass(50);

    expect(progress).toMatchObject({ elapsedMs: 550, silentMs: 50, longestSilenceMs: 400 });
    expect(progress.receivedBytes).toBe(30);
  });
});

function begin(): { readonly progress: Progress; readonly pass: (forMs: number) => void } {
  const beat = new Beat();
  beat.listen(() => undefined);
  return { progress: new Progress(100, beat), pass: (forMs) => vi.advanceTimersByTime(forMs) };
}
