/** Whatever a client writes to a daemon's socket, the daemon answers in one line or closes, and goes on. */
import { connect } from "node:net";
import path from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { askControl, openControlSocket } from "../../src/daemon/control-socket.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { mutated } from "./support/mutate.js";

const RUNS = process.env["SLOW"] === undefined ? 200 : 20_000;
const { seed } = new Random();
const REQUESTS = ['{"request":"status"}\n', '{"request":"trigger"}\n{"request":"stop"}\n'];

test(`any line is answered, or not, and does no harm (SEED=${seed})`, async () => {
  const directory = fastTemporaryFolder();
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const asked: string[] = [];
  const handler = (request: string) => () => {
    asked.push(request);
    return Promise.resolve(request);
  };
  const handlers = {
    status: handler("status"),
    trigger: handler("trigger"),
    stop: handler("stop"),
  };
  await openControlSocket({ directory, handlers, signal: stop.signal });
  const place = path.join(directory, "control.socket");
  const lines = mutated(REQUESTS.map((request) => Buffer.from(request)));
  const property = fc.asyncProperty(lines, async (bytes) => {
    const before = asked.length;
    const answer = await exchange(place, bytes);
    expect(answer).toMatch(/^(?:\{"kind":"(?:done|failed)",[^\n]*\}\n)?$/);
    expect(asked.length - before).toBe(answer.includes('"done"') ? 1 : 0);
  });
  await fc.assert(property, { seed, numRuns: RUNS });
  const { signal } = new AbortController();
  const asking = { directory, request: "status", timeoutMs: 5000, signal } as const;
  expect(await askControl(asking)).toEqual({ kind: "done", value: "status" });
});

/** What comes back until the other side closes. */
async function exchange(place: string, bytes: Uint8Array): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ path: place, allowHalfOpen: true });
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    socket.on("error", reject).on("close", () => resolve(text));
    socket.on("end", () => socket.destroy());
    socket.end(bytes);
  });
}
