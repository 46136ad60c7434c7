import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PushFile } from "../../src/master/plan-push.js";
import { putFile } from "../../src/master/put-file.js";
import { openHost } from "../../src/store/open-host.js";
import { type PutServer, startPutServer } from "../store/put-server.js";
import { neverAborted, testRuntime } from "../store/runtime.js";
import { Random } from "../support/random.js";
import { temporaryFolder } from "../support/temporary.js";

const PACK = "shares/0/session/20231114T221320Z/v0";
const BYTES = new Random(3).bytes(200_000);

describe("a file that is pushed to a server", () => {
  it("is not put again when it is there whole, as a push left it that was cut off", async () => {
    const { server, put } = await makePush();
    await put({});
    server.changes.splice(0);

    await put({});

    expect(server.changes).toEqual([`HEAD ${PACK}`]);
  });

  it.each([
    ["is shorter", (bytes: Buffer) => bytes.subarray(1)],
    ["has another end", (bytes: Buffer) => Buffer.concat([bytes.subarray(1), Buffer.from("x")])],
  ])("is put again when what is there %s", async (_, change) => {
    const { server, put } = await makePush();
    server.files.set(PACK, change(BYTES));

    await put({});

    expect(BYTES.equals(server.files.get(PACK) ?? new Uint8Array())).toBe(true);
  });

  it("is put again when it is still growing, though it has the same size", async () => {
    const { server, put } = await makePush();
    const other = Buffer.from(BYTES);
    other.fill(0, 0, 100_000);
    server.files.set(PACK, other);

    await put({ isOpen: true });

    expect(BYTES.equals(server.files.get(PACK) ?? new Uint8Array())).toBe(true);
  });

  it("is put as far as it is to be published, and no further", async () => {
    const { server, put } = await makePush();

    await put({ sizeBytes: 150_000, isOpen: true });

    expect(BYTES.subarray(0, 150_000).equals(server.files.get(PACK) ?? BYTES)).toBe(true);
  });

  it.each([
    ["cuts it", (bytes: Buffer) => bytes.subarray(0, 100_000), /100000 bytes are there of 200000/],
    ["stores another end", (bytes: Buffer) => withZero(bytes, 199_999), /from byte 195904 on/],
    ["stores zeros", (bytes: Buffer) => Buffer.alloc(bytes.length), /is not what was put/],
  ])("is refused when the server %s, after it was put once more", async (_, store, message) => {
    const { server, put } = await makePush();
    server.keepAs((bytes) => store(Buffer.from(bytes)));

    await expect(put({})).rejects.toMatchObject({
      code: "SOURCE_INVALID",
      message: expect.stringMatching(message) as string,
    });

    expect(server.changes.filter((change) => change === `PUT ${PACK}`)).toHaveLength(2);
  });

  it("is right in the end when the server spoils it once", async () => {
    const { server, put } = await makePush();
    let puts = 0;
    // The first is the one under another name, before the server refuses to move it.
    server.keepAs((bytes) => (++puts <= 2 ? bytes.subarray(1) : bytes));

    await put({});

    expect(BYTES.equals(server.files.get(PACK) ?? new Uint8Array())).toBe(true);
  });
});

/** A publication with one pack, and a server for it. */
async function makePush(): Promise<{
  readonly server: PutServer;
  readonly put: (change: Partial<PushFile>) => Promise<void>;
}> {
  const folder = temporaryFolder();
  mkdirSync(path.dirname(path.join(folder, PACK)), { recursive: true });
  writeFileSync(path.join(folder, PACK), BYTES);
  const server = await startPutServer();
  const host = openHost({ name: "a", url: server.url, runtime: testRuntime() });
  onTestFinished(() => host.close());
  const file = { path: PACK, heldBytes: 0, sizeBytes: BYTES.length, isOpen: false };
  const options = { folder, random: () => 0.5, signal: neverAborted() };
  return { server, put: (change) => putFile(host, { ...file, ...change }, options) };
}

function withZero(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}
