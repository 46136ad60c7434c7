import { describe, expect, it } from "vitest";
import { listenForStop } from "../../src/daemon/signals.js";

describe("listenForStop", () => {
  it("turns the first signal into an abort, and leaves the second to the system", () => {
    const stop = listenForStop();
    const before = process.listenerCount("SIGTERM");
    process.emit("SIGTERM", "SIGTERM");
    expect(stop.received).toBe("SIGTERM");
    expect(stop.signal.reason).toMatchObject({ code: "CANCELLED", message: "stopped by SIGTERM" });
    expect(process.listenerCount("SIGTERM")).toBe(before - 1);
  });

  it("can be told to stop without a signal", () => {
    const stop = listenForStop();
    stop.stop();
    expect(stop.signal.aborted).toBe(true);
    expect(stop.received).toBeUndefined();
    stop.release();
  });
});
