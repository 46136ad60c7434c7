import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  askControl,
  type ControlHandlers,
  type ControlRequest,
  openControlSocket,
} from "../../src/daemon/control-socket.js";
import { MirrorError } from "../../src/errors.js";

let directory: string;
let stop: AbortController;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "dupmirror-control-"));
  stop = new AbortController();
});

afterEach(() => {
  stop.abort();
  rmSync(directory, { recursive: true });
});

const handlers: ControlHandlers = {
  trigger: async () => Promise.resolve({ generation: 7 }),
  status: async () => Promise.reject(new MirrorError("TREE_EMPTY", "nothing there")),
  stop: async () => new Promise(() => undefined),
};

const ask = async (request: ControlRequest, timeoutMs = 10_000) =>
  askControl({ directory, request, timeoutMs, signal: stop.signal });

describe("control socket", () => {
  it("answers with what the handler gives", async () => {
    await openControlSocket({ directory, handlers, signal: stop.signal });
    expect(await ask("trigger")).toEqual({ kind: "done", value: { generation: 7 } });
  });

  it("answers with the handler's failure", async () => {
    await openControlSocket({ directory, handlers, signal: stop.signal });
    expect(await ask("status")).toEqual({
      kind: "failed",
      code: "TREE_EMPTY",
      message: "nothing there",
    });
  });

  it("tells when no daemon runs", async () => {
    expect(await ask("trigger")).toEqual({ kind: "absent" });
  });

  it("does not wait for ever", async () => {
    await openControlSocket({ directory, handlers, signal: stop.signal });
    await expect(ask("stop", 50)).rejects.toThrow("did not answer within 50 ms");
  });

  it("takes the place of what a killed daemon left", async () => {
    writeFileSync(path.join(directory, "control.socket"), "");
    await openControlSocket({ directory, handlers, signal: stop.signal });
    expect(await ask("trigger")).toMatchObject({ kind: "done" });
  });

  it("refuses requests that it does not know", async () => {
    await openControlSocket({ directory, handlers, signal: stop.signal });
    expect(await send('{"request":"toString"}\n')).toContain("unknown request");
    expect(await send("nonsense\n")).toContain("unknown request");
  });

  it("ends when it is told to", async () => {
    await openControlSocket({ directory, handlers, signal: stop.signal });
    stop.abort();
    const signal = new AbortController().signal;
    const answer = await askControl({ directory, request: "trigger", timeoutMs: 1000, signal });
    expect(answer).toEqual({ kind: "absent" });
  });

  it("says that a path is too long for a socket", async () => {
    directory = path.join(directory, "x".repeat(120));
    mkdirSync(directory);
    const opening = openControlSocket({ directory, handlers, signal: stop.signal });
    await expect(opening).rejects.toThrow("expected a path of at most 92 bytes");
    directory = path.dirname(directory);
  });
});

async function send(line: string): Promise<string> {
  const socket = connect({ path: path.join(directory, "control.socket") });
  socket.setEncoding("utf8").write(line);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
