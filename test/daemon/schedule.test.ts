import { describe, expect, it } from "vitest";
import { checkSchedule, startSchedule } from "../../src/daemon/schedule.js";

const log = { debug() {}, info() {}, warn() {}, error() {} };

describe("startSchedule", () => {
  it("knows when its next run is, until it is stopped", () => {
    const stop = new AbortController();
    const schedule = startSchedule({
      pattern: "0 3 * * 0",
      run: () => undefined,
      log,
      signal: stop.signal,
    });
    const next = new Date(schedule.nextRunAt() ?? 0);
    expect([next.getDay(), next.getHours(), next.getMinutes()]).toEqual([0, 3, 0]);
    stop.abort();
  });

  it("runs when the time has come", async () => {
    const stop = new AbortController();
    await new Promise<void>((run) => {
      startSchedule({ pattern: "* * * * * *", run, log, signal: stop.signal });
    });
    stop.abort();
  });

  it.each(["61 * * * *", "* * * *", "a * * * *"])("refuses %s", (pattern) => {
    expect(() => checkSchedule(pattern)).toThrow(`schedule: "${pattern}": `);
  });
});
