import { describe, expect, it } from "vitest";
import { MirrorError } from "../../src/errors.js";
import { retrying } from "../../src/store/retrying-source.js";
import { type Fault, MemorySource, unreachable } from "./memory-source.js";
import { neverAborted } from "./runtime.js";

const RANGE = { offset: 1, sizeBytes: 2 };
const OPTIONS = { random: () => 0.5, attempts: 3, delayMs: 1, restMaxMs: 1000 };

describe("a source that is asked again", () => {
  it("gives the bytes when an attempt within the bound succeeds", async () => {
    const memory = sourceThat(failing(2, "SOURCE_TIMEOUT"));

    const bytes = await retrying(memory, OPTIONS).read("f", RANGE, { signal: neverAborted() });

    expect([...bytes]).toStrictEqual([2, 3]);
    expect(memory.reads).toHaveLength(3);
  });

  it("fails as the source does when the attempts are used up", async () => {
    const memory = sourceThat(unreachable);

    const read = retrying(memory, OPTIONS).read("f", RANGE, { signal: neverAborted() });

    await expect(read).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
    expect(memory.reads).toHaveLength(3);
  });

  it.each(["SOURCE_MISSING", "SOURCE_SHORT", "SOURCE_INVALID"] as const)(
    "is not asked again after %s",
    async (code) => {
      const memory = sourceThat(failing(1, code));

      const read = retrying(memory, OPTIONS).read("f", RANGE, { signal: neverAborted() });

      await expect(read).rejects.toMatchObject({ code });
      expect(memory.reads).toHaveLength(1);
    },
  );

  it("stops waiting when the signal fires", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const memory = sourceThat((path, range, bytes, signal) => {
      setImmediate(() => controller.abort(reason));
      return unreachable(path, range, bytes, signal);
    });
    const patient = retrying(memory, { ...OPTIONS, delayMs: 3_600_000 });

    const read = patient.read("f", RANGE, { signal: controller.signal });

    await expect(read).rejects.toBe(reason);
    expect(memory.reads).toHaveLength(1);
  });
});

function sourceThat(fault: Fault): MemorySource {
  const memory = new MemorySource("memory", new Map([["f", Uint8Array.of(1, 2, 3)]]));
  memory.fault = fault;
  return memory;
}

/** Fails `count` times with `code`, then serves. */
function failing(count: number, code: ConstructorParameters<typeof MirrorError>[0]): Fault {
  let left = count;
  return (_path, _range, bytes) => {
    if (left-- > 0) throw new MirrorError(code, "as told");
    return bytes;
  };
}
