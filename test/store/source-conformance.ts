/** What every `Source` must do. */
import { describe, expect, it } from "vitest";
import type { Source } from "../../src/store/source.js";
import { Random } from "../support/random.js";
import { neverAborted } from "./runtime.js";

/** Opens a source that holds `files`; it, and all below it, is gone when the test ends. */
export type OpenTestSource = (files: Readonly<Record<string, Uint8Array>>) => Promise<Source>;

export function describeSource(kind: string, open: OpenTestSource): void {
  describe(`a source of ${kind}`, () => {
    const head = Buffer.from("a head\n");
    const pack = new Random(7).bytes(300_000);
    const path = "shares/0/session/20231114T221320Z/v0";
    const signal = neverAborted();

    it("gives the head, and says nothing while it is unchanged", async () => {
      const source = await open({ head });

      const first = await source.readHead({ signal });
      const again = await source.readHead({ signal, etag: first?.etag ?? "none" });

      expect(first?.bytes).toStrictEqual(head);
      expect(first?.etag).toBeTypeOf("string");
      expect(again).toBeUndefined();
    });

    it("gives the head again when another one is known", async () => {
      const source = await open({ head });

      const answer = await source.readHead({ signal, etag: '"another"' });

      expect(answer?.bytes).toStrictEqual(head);
    });

    it("refuses a head that is too large", async () => {
      const source = await open({ head: new Uint8Array(4097) });

      await expect(source.readHead({ signal })).rejects.toMatchObject({ code: "SOURCE_INVALID" });
    });

    it("says that there is no head", async () => {
      const source = await open({});

      await expect(source.readHead({ signal })).rejects.toMatchObject({ code: "SOURCE_MISSING" });
    });

    it.each([
      [0, 1],
      [0, 300_000],
      [1, 4096],
      [65_535, 131_073],
      [299_999, 1],
      [123, 0],
    ])("gives the bytes from %d on, %d of them", async (offset, sizeBytes) => {
      const source = await open({ [path]: pack });

      const bytes = await source.read(path, { offset, sizeBytes }, { signal });

      expect(Buffer.compare(bytes, pack.subarray(offset, offset + sizeBytes))).toBe(0);
    });

    it("gives many ranges at the same time", async () => {
      const source = await open({ [path]: pack });
      const offsets = Array.from({ length: 50 }, (_, at) => at * 5000);

      const parts = await Promise.all(
        offsets.map((offset) => source.read(path, { offset, sizeBytes: 5000 }, { signal })),
      );

      expect(Buffer.compare(Buffer.concat(parts), pack.subarray(0, 250_000))).toBe(0);
    });

    it("says that a file is missing", async () => {
      const source = await open({ [path]: pack });

      const read = source.read("shares/1/none", { offset: 0, sizeBytes: 8 }, { signal });

      await expect(read).rejects.toMatchObject({ code: "SOURCE_MISSING" });
    });

    it.each([
      [299_999, 2],
      [300_000, 1],
      [900_000, 8],
    ])("says that the file ends before the range %d, %d does", async (offset, sizeBytes) => {
      const source = await open({ [path]: pack });

      const read = source.read(path, { offset, sizeBytes }, { signal });

      await expect(read).rejects.toMatchObject({ code: "SOURCE_SHORT" });
    });

    it("throws the reason of a signal that has fired", async () => {
      const source = await open({ head, [path]: pack });
      const reason = new Error("enough");
      const fired = AbortSignal.abort(reason);

      const read = source.read(path, { offset: 0, sizeBytes: 8 }, { signal: fired });

      await expect(read).rejects.toBe(reason);
      await expect(source.readHead({ signal: fired })).rejects.toBe(reason);
    });

    it("tells a watch that it was asked, and of every byte that comes", async () => {
      const source = await open({ [path]: pack });
      const told: (number | string)[] = [];
      const watch = {
        asked: () => void told.push("asked"),
        received: (sizeBytes: number) => void told.push(sizeBytes),
      };

      await source.read(path, { offset: 17, sizeBytes: 200_000 }, { signal, watch });

      const [first, ...sizes] = told;
      expect(first).toBe("asked");
      expect(sizes.map(Number).reduce((sum, size) => sum + size, 0)).toBe(200_000);
    });

    it("counts what it moves", async () => {
      const source = await open({ [path]: pack });

      await source.read(path, { offset: 0, sizeBytes: 100_000 }, { signal });
      await source.read(path, { offset: 0, sizeBytes: 50_000 }, { signal });

      expect(source.traffic.requests).toBe(2);
      expect(source.traffic.bytes).toBeGreaterThanOrEqual(150_000);
      expect(source.traffic.bytes).toBeLessThan(152_000);
    });
  });
}
