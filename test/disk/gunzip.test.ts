import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gunzip } from "../../src/disk/gunzip.js";
import { cut } from "../support/bytes.js";
import { collect } from "./collect.js";

const { signal } = new AbortController();
const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at) % 253));
const PACKED = gzipSync(BYTES);

function pieces(bytes: Uint8Array, sizeBytes: number): AsyncIterable<Uint8Array> {
  return Readable.from(cut(bytes, sizeBytes));
}

function unpack(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return collect(gunzip(chunks, { signal }));
}

describe("gunzip", () => {
  it.each([1, 13, 4096, 1_000_000])("unpacks a stream that comes in pieces of %i", async (size) => {
    expect(Buffer.compare(await unpack(pieces(PACKED, size)), BYTES)).toBe(0);
  });

  it("unpacks members one after the other", async () => {
    const both = Buffer.concat([gzipSync("one"), gzipSync("two")]);

    expect((await unpack(pieces(both, 5))).toString()).toBe("onetwo");
  });

  it.each([0, 1, 9, 10, 100, PACKED.length - 8, PACKED.length - 1])(
    "refuses a stream cut after %i bytes",
    async (size) => {
      await expect(unpack(pieces(PACKED.subarray(0, size), 64))).rejects.toMatchObject({
        code: "FORMAT_INVALID",
      });
    },
  );

  it("refuses what is not gzip, or was changed", async () => {
    const changed = Buffer.from(PACKED);
    changed.writeUInt32LE(1, PACKED.length - 8);

    for (const bytes of [Buffer.from("plain text"), changed]) {
      await expect(unpack(pieces(bytes, 64))).rejects.toMatchObject({ code: "FORMAT_INVALID" });
    }
  });

  it("refuses a stream that goes on after its end", async () => {
    const longer = Buffer.concat([PACKED, Buffer.alloc(100_000, 1)]);
    await expect(unpack(pieces(longer, 64))).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  });

  it("hands on what its source throws", async () => {
    const failure = new Error("source");
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield* pieces(PACKED.subarray(0, 100), 50);
      throw failure;
    }

    await expect(unpack(failing())).rejects.toBe(failure);
  });

  it("lets go of its source when the reader stops", async () => {
    let isReleased = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield await Promise.resolve(gzipSync(BYTES));
      } finally {
        isReleased = true;
      }
    }
    const reading = gunzip(source(), { signal });

    await reading.next();
    await reading.return(undefined);

    expect(isReleased).toBe(true);
  });

  it("stops when asked, with the reason given", async () => {
    const stop = new AbortController();
    const reading = gunzip(pieces(PACKED, 64), { signal: stop.signal });
    stop.abort(new Error("enough"));

    await expect(reading.next()).rejects.toThrow("enough");
  });

  it("stops when asked, whatever its source does", async () => {
    const stop = new AbortController();
    const hanging = new Readable({ read: () => undefined });
    const next = gunzip(hanging, { signal: stop.signal }).next();
    stop.abort(new Error("enough"));

    await expect(next).rejects.toThrow("enough");
  });
});
