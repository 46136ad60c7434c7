import { describe, expect, it } from "vitest";
import { MirrorError } from "../../src/errors.js";
import { readDocument } from "../../src/retrieve/document.js";
import { blackHole, MemorySource, unreachable } from "../store/memory-source.js";
import { neverAborted, testRuntime } from "../store/runtime.js";
import { poolOf } from "./published.js";

const PATH = "ledger/session/20231114T221320Z.jsonl";
const RANGE = { offset: 2, sizeBytes: 4 };

describe("a document", () => {
  it("is what the check makes of the bytes", async () => {
    const pool = poolOf([sourceOf("a", "__good")]);

    const text = await readDocument(pool, { ...request, check: (bytes) => bytes.length });

    expect(text).toBe(4);
  });

  it("comes from another source when the first does not have it, or too little of it", async () => {
    const empty = new MemorySource("empty");
    const pool = poolOf([empty, sourceOf("short", "__go"), sourceOf("a", "__good")]);

    expect(await readDocument(pool, request)).toBe("good");
  });

  it("comes from another source when the first gives other bytes, and that is held against it", async () => {
    const runtime = testRuntime();
    const pool = poolOf([sourceOf("liar", "__evil"), sourceOf("a", "__good")], runtime);

    expect(await readDocument(pool, request)).toBe("good");
    expect(pool.report().map(({ corruptBlocks }) => corruptBlocks)).toStrictEqual([1, 0]);
    expect(runtime.lines.join("\n")).toContain("source=liar");
  });

  it("comes from the source that is left when the others cannot be reached", async () => {
    const dead = sourceOf("dead", "__good");
    dead.fault = unreachable;
    const pool = poolOf([dead, sourceOf("a", "__good")]);

    expect(await readDocument(pool, request)).toBe("good");
    expect(dead.reads).toHaveLength(1);
  });

  it("is asked for again when the only source was away for a moment", async () => {
    const source = sourceOf("a", "__good");
    let failures = 1;
    source.fault = (...read) => (failures-- > 0 ? unreachable(...read) : read[2]);

    expect(await readDocument(poolOf([source]), request)).toBe("good");
  });

  it("is refused with the check's own code when all that was given is wrong", async () => {
    const pool = poolOf([new MemorySource("empty"), sourceOf("liar", "__evil")]);

    const read = readDocument(pool, request);

    await expect(read).rejects.toMatchObject({
      code: "LEDGER_INVALID",
      message: `${PATH} from liar: not good`,
    });
  });

  it("has no source when nobody gives it, and says why", async () => {
    const pool = poolOf([new MemorySource("empty"), sourceOf("short", "__go")]);

    const read = readDocument(pool, request);

    await expect(read).rejects.toMatchObject({
      code: "NO_SOURCE",
      message: `no source gives ${PATH}: empty: ${PATH} is not here; short: ${PATH} ends early`,
    });
    await expect(readDocument(poolOf([]), request)).rejects.toMatchObject({ code: "NO_SOURCE" });
  });

  it("hands on what is no failure of a source", async () => {
    const check = () => {
      throw new TypeError("ours");
    };

    const read = readDocument(poolOf([sourceOf("a", "__good")]), { ...request, check });

    await expect(read).rejects.toThrow(TypeError);
  });

  it("is given up when the signal fires", async () => {
    const source = sourceOf("a", "__good");
    source.fault = blackHole;
    const controller = new AbortController();
    const reason = new MirrorError("CANCELLED", "stopped");

    const read = readDocument(poolOf([source]), { ...request, signal: controller.signal });
    await expect.poll(() => source.active).toBe(1);
    controller.abort(reason);

    await expect(read).rejects.toBe(reason);
    expect(source.active).toBe(0);
  });
});

const request = { path: PATH, range: RANGE, check: goodText, signal: neverAborted() };

function goodText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  if (text !== "good") throw new MirrorError("LEDGER_INVALID", "not good");
  return text;
}

function sourceOf(name: string, text: string): MemorySource {
  return new MemorySource(name, new Map([[PATH, Buffer.from(text)]]));
}
