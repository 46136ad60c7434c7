import { describe, expect, it } from "vitest";
import { Channel } from "../../src/master/channel.js";

describe("a channel", () => {
  it("hands over every item in order, then ends", async () => {
    const channel = new Channel<number>();
    const items = Array.from({ length: 100 }, (_, number) => number);
    const sending = (async () => {
      for (const item of items) await channel.send(item);
      channel.close();
    })();
    const read: number[] = [];
    for await (const item of channel) read.push(item);
    await sending;
    expect(read).toEqual(items);
  });

  it("makes its writer wait for the reader", async () => {
    const channel = new Channel<number>();
    let sent = 0;
    const sending = (async () => {
      for (; sent < 100; sent++) await channel.send(sent);
    })();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBeLessThan(10);
    channel.abandon();
    await sending;
    expect(sent).toBe(100);
  });

  it("gives the writer's failure to the reader, after what came before", async () => {
    const channel = new Channel<number>();
    await channel.send(1);
    channel.fail(new Error("broken"));
    channel.close();
    const read: number[] = [];
    const reading = (async () => {
      for await (const item of channel) read.push(item);
    })();
    await expect(reading).rejects.toThrow("broken");
    expect(read).toEqual([1]);
  });

  it("lets the writer go when the reader stops early", async () => {
    const channel = new Channel<number>();
    const sending = (async () => {
      for (let number = 0; number < 50; number++) await channel.send(number);
    })();
    for await (const item of channel) if (item === 3) break;
    await expect(sending).resolves.toBeUndefined();
  });
});
