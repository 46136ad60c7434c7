/** What every `Host` must do. */
import { describe, expect, it } from "vitest";
import { sha256, toBase64url } from "../../src/bytes/digest.js";
import type { Host, HostContent } from "../../src/store/host.js";
import { Random } from "../support/random.js";
import { neverAborted } from "./runtime.js";

export interface TestHost {
  readonly host: Host;
  /** What really lies there, past the host itself; `undefined` for no such file. */
  readonly lies: (path: string) => Uint8Array | undefined;
  /** Every file that lies there. */
  readonly list: () => readonly string[];
}

/** Opens a host that holds nothing, nor the place for it; it, and all below it, is gone when the test ends. */
export type OpenTestHost = () => Promise<TestHost>;

/** Bytes that are put as if the host had the first `heldBytes` of them. */
export function contentOf(bytes: Uint8Array, heldBytes = 0): HostContent {
  return {
    sizeBytes: bytes.length,
    heldBytes,
    read: ({ offset, sizeBytes }) => Promise.resolve(bytes.subarray(offset, offset + sizeBytes)),
  };
}

export function describeHost(kind: string, open: OpenTestHost, skipped?: string): void {
  describe.skipIf(skipped !== undefined)(`a host that is ${kind} ${skipped ?? ""}`, () => {
    const path = "shares/0/session/20231114T221320Z/v0";
    const bytes = new Random(7).bytes(300_000);
    const options = { signal: neverAborted() };

    it("is made with the folders above it, and stays as it is when it is there", async () => {
      const { host, lies } = await open();

      await host.make(options);
      await host.replace("head", Buffer.from("a head"), options);
      await host.make(options);

      expect(await host.isMade(options)).toBe(true);
      expect(lies("head")).toEqual(Buffer.from("a head"));
    });

    it("takes files though nobody made its place, and says how large they are", async () => {
      const { host, lies } = await open();
      expect(await host.size(path, options)).toBeUndefined();

      await host.put(path, contentOf(bytes), options);

      expect(await host.size(path, options)).toBe(bytes.length);
      expect(digest(lies(path))).toBe(digest(bytes));
    });

    it("grows a file, and is not changed by the same step again", async () => {
      const { host, lies, list } = await open();
      await host.put(path, contentOf(bytes.subarray(0, 1000)), options);

      await host.put(path, contentOf(bytes, 1000), options);
      await host.put(path, contentOf(bytes, 1000), options);

      expect(digest(lies(path))).toBe(digest(bytes));
      expect(list()).toEqual([path]);
    });

    it("takes files of many pieces", async () => {
      const { host, lies } = await open();
      const large = Buffer.concat(Array.from({ length: 11 }, () => bytes));

      await host.put(path, contentOf(large), options);

      expect(digest(lies(path))).toBe(digest(large));
    });

    it("puts a new file in the place of the old one, and leaves nothing beside it", async () => {
      const { host, lies, list } = await open();

      await host.replace("head", Buffer.from("a long first head"), options);
      await host.replace("head", Buffer.from("a head"), options);

      expect(lies("head")).toEqual(Buffer.from("a head"));
      expect(list()).toEqual(["head"]);
    });

    it("reads ranges", async () => {
      const { host } = await open();
      await host.put(path, contentOf(bytes), options);

      const range = { offset: 70_000, sizeBytes: 230_000 };
      expect(digest(await host.read(path, range, options))).toBe(digest(bytes.subarray(70_000)));
      await expect(
        host.read(path, { offset: 299_999, sizeBytes: 2 }, options),
      ).rejects.toMatchObject({ code: "SOURCE_SHORT" });
      await expect(host.read("none", { offset: 0, sizeBytes: 1 }, options)).rejects.toMatchObject({
        code: "SOURCE_MISSING",
      });
    });

    it("removes a file, and does not mind when it is gone", async () => {
      const { host, lies } = await open();
      await host.put(path, contentOf(bytes), options);

      await host.remove(path, options);
      await host.remove(path, options);

      expect(lies(path)).toBeUndefined();
      expect(await host.size(path, options)).toBeUndefined();
    });

    it("does nothing more once it is told to stop", async () => {
      const { host, list } = await open();
      const stopped = { signal: AbortSignal.abort(new Error("stopped")) };

      await expect(host.put(path, contentOf(bytes), stopped)).rejects.toThrow("stopped");

      expect(list()).toEqual([]);
    });
  });
}

/** Large files are compared by it: a matcher that looks at every byte takes seconds. */
function digest(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "no file" : toBase64url(sha256(bytes));
}
