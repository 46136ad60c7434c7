import { describe, expect, it } from "vitest";
import { HeadWatch } from "../../src/daemon/head-watch.js";
import { locate } from "../../src/daemon/served-path.js";

const file = locate(new Map([["pub", "/publication"]]), "/pub/head");
const { signal } = new AbortController();

describe("HeadWatch", () => {
  it("waits until the head is another one, and only then", async () => {
    let etag = "1";
    const watch = new HeadWatch(() => etag);
    const order: string[] = [];
    const waits = [0, 1].map(async () => {
      await watch.wait(known(), "1", { timeoutMs: 60_000, signal });
      order.push("answered");
    });
    watch.look();
    await Promise.resolve();
    order.push("changed");
    etag = "2";
    watch.look();
    await Promise.all(waits);
    expect(order).toEqual(["changed", "answered", "answered"]);
  });

  it("notices by itself that a head is another one", async () => {
    let etag = "1";
    const watch = new HeadWatch(() => etag);
    const wait = watch.wait(known(), "1", { timeoutMs: 60_000, signal });
    etag = "2";
    await wait;
  });

  it("lets those go who went away, or waited long enough", async () => {
    const watch = new HeadWatch(() => "1");
    const gone = new AbortController();
    const wait = watch.wait(known(), "1", { timeoutMs: 60_000, signal: gone.signal });
    gone.abort();
    await wait;
    await watch.wait(known(), "1", { timeoutMs: 1, signal });
  });
});

function known(): NonNullable<typeof file> {
  if (file === undefined) throw new Error("the head is served");
  return file;
}
