import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Metrics } from "../../src/daemon/metrics.js";
import { type StaticServer, serveFolders } from "../../src/daemon/static-server.js";
import type { Runtime } from "../../src/runtime.js";

const runtime: Runtime = {
  clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
  log: { debug() {}, info() {}, warn() {}, error() {} },
  random: () => 0.5,
  progress: () => undefined,
};

let root: string;
let folder: string;
let server: StaticServer;
let stop: AbortController;
let metrics: Metrics;

const large = Buffer.from(Array.from({ length: 1_000_000 }, (_, number) => number % 251));

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), "dupmirror-serve-"));
  folder = path.join(root, "publication");
  mkdirSync(path.join(folder, "shares/0/s/1"), { recursive: true });
  mkdirSync(path.join(folder, "contents/s"), { recursive: true });
  writeFileSync(path.join(folder, "head"), "first\n");
  writeFileSync(path.join(folder, "contents/s/full.1"), "contents");
  writeFileSync(path.join(folder, "shares/0/s/1/v0"), Buffer.from("0123456789"));
  writeFileSync(path.join(folder, "shares/0/s/1/v1"), large);
  writeFileSync(path.join(folder, ".head.new"), "hidden");
  writeFileSync(path.join(root, "secret"), "secret");
  symlinkSync(path.join(root, "secret"), path.join(folder, "link"));
  stop = new AbortController();
  metrics = new Metrics();
  server = await serveFolders({
    listen: { host: "127.0.0.1", port: 0 },
    folders: new Map([["pub", folder]]),
    runtime,
    metrics,
    status: () => ["pub: <generation> 7"],
    signal: stop.signal,
  });
});

afterEach(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

const get = async (place: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(`${server.url}${place}`, { headers, method });

describe("serveFolders", () => {
  it("gives a file whole, with its length and a strong ETag", async () => {
    const answer = await get("/pub/shares/0/s/1/v0");
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("0123456789");
    expect(answer.headers.get("content-length")).toBe("10");
    expect(answer.headers.get("accept-ranges")).toBe("bytes");
    expect(answer.headers.get("etag")).toMatch(/^"[0-9a-z-]+"$/);
  });

  it("streams a large file and a large range of it exactly", async () => {
    const whole = await get("/pub/shares/0/s/1/v1");
    expect(large.equals(Buffer.from(await whole.arrayBuffer()))).toBe(true);
    const part = await get("/pub/shares/0/s/1/v1", { range: "bytes=300001-899999" });
    expect(part.status).toBe(206);
    const bytes = Buffer.from(await part.arrayBuffer());
    expect(large.subarray(300_001, 900_000).equals(bytes)).toBe(true);
  });

  it("gives every one of many readers its own bytes, those too that are slow or leave", async () => {
    const files = Array.from({ length: 12 }, (_, number) => Buffer.alloc(8_000_003, number + 1));
    for (const [number, bytes] of files.entries()) {
      writeFileSync(path.join(folder, `shares/0/s/1/v${number + 10}`), bytes);
    }
    const answers = await Promise.all(files.map((_, at) => get(`/pub/shares/0/s/1/v${at + 10}`)));
    const [first, ...others] = answers;
    await first?.body?.cancel();
    for (const [at, answer] of others.entries()) {
      const got = Buffer.from(await answer.arrayBuffer());
      expect(files[at + 1]?.equals(got)).toBe(true);
    }
  });

  it("breaks off when a file becomes shorter while it is sent", async () => {
    const file = path.join(folder, "shares/0/s/1/v9");
    writeFileSync(file, Buffer.alloc(64_000_000));
    const answer = await get("/pub/shares/0/s/1/v9");
    truncateSync(file, 1000);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    expect((await get("/pub/head")).status).toBe(200);
  });

  it.each([
    ["bytes=2-4", "234", "bytes 2-4/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
  ])("answers the range %s", async (range, text, contentRange) => {
    const answer = await get("/pub/shares/0/s/1/v0", { range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe(contentRange);
    expect(await answer.text()).toBe(text);
  });

  it("refuses a range behind the end", async () => {
    const answer = await get("/pub/shares/0/s/1/v0", { range: "bytes=10-" });
    expect(answer.status).toBe(416);
    expect(answer.headers.get("content-range")).toBe("bytes */10");
  });

  it("gives all of a file whose ETag is not the one of If-Range", async () => {
    const headers = { range: "bytes=2-4", "if-range": '"other"' };
    expect((await get("/pub/shares/0/s/1/v0", headers)).status).toBe(200);
  });

  it("answers HEAD without a body", async () => {
    const answer = await get("/pub/shares/0/s/1/v0", {}, "HEAD");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-length")).toBe("10");
    expect(await answer.text()).toBe("");
  });

  it("says 304 while a head is unchanged, and not after", async () => {
    const etag = (await get("/pub/head")).headers.get("etag") ?? "";
    const unchanged = await get("/pub/head", { "if-none-match": etag });
    expect([unchanged.status, await unchanged.text()]).toEqual([304, ""]);
    replaceHead("second\n");
    const changed = await get("/pub/head", { "if-none-match": etag });
    expect([changed.status, await changed.text()]).toEqual([200, "second\n"]);
  });

  it("lets caches keep only what never changes under its name", async () => {
    const cached = async (place: string) => (await get(place)).headers.get("cache-control");
    expect(await cached("/pub/head")).toBe("no-cache");
    expect(await cached("/pub/shares/0/s/1/v0")).toBe("no-cache");
    expect(await cached("/pub/contents/s/full.1")).toContain("immutable");
  });

  it.each([
    "/pub/../secret",
    "/pub/%2e%2e/secret",
    "/pub/..%2fsecret",
    "/pub/link",
    "/pub/.head.new",
    "/pub/shares",
    "/pub/shares/",
    "/pub//head",
    "/pub/%00",
    "/pub/head%",
    "/pub",
    "/other/head",
    `/pub/${"x".repeat(300)}`,
    "/pub/a/b/c/d/e/f/g/h/i",
  ])("knows nothing of %s", async (place) => {
    expect([400, 404]).toContain(await rawStatus(place));
  });

  it("takes nothing from its readers", async () => {
    expect((await get("/pub/head", {}, "PUT")).status).toBe(404);
  });

  it("holds a long poll until the head changes", async () => {
    const etag = (await get("/pub/head")).headers.get("etag") ?? "";
    const waiting = get("/pub/head", { "if-none-match": etag, prefer: "wait=30" });
    replaceHead("second\n");
    server.headChanged();
    const answer = await waiting;
    expect([answer.status, await answer.text()]).toEqual([200, "second\n"]);
  });

  it("ends a long poll with 304 when the time is over", async () => {
    const etag = (await get("/pub/head")).headers.get("etag") ?? "";
    const answer = await get("/pub/head", { "if-none-match": etag, prefer: "wait=1" });
    expect(answer.status).toBe(304);
    expect(answer.headers.get("preference-applied")).toBe("wait=1");
  });

  it("does not wait with a head that is new to the reader", async () => {
    const answer = await get("/pub/head", { "if-none-match": '"old"', prefer: "wait=30" });
    expect([answer.status, await answer.text()]).toEqual([200, "first\n"]);
  });

  it("lets long polls go when it stops", async () => {
    const etag = (await get("/pub/head")).headers.get("etag") ?? "";
    const waiting = get("/pub/head", { "if-none-match": etag, prefer: "wait=50" });
    await get("/pub/head");
    stop.abort();
    await waiting.then((answer) => answer.arrayBuffer()).catch(() => undefined);
    await expect(get("/pub/head")).rejects.toThrow();
  });

  it("shows its mirrors and their state", async () => {
    const page = await (await get("/")).text();
    expect(page).toContain('<a href="/pub/head">pub</a>');
    expect(page).toContain("pub: &lt;generation> 7");
  });

  it("counts what it answers", async () => {
    await get("/pub/shares/0/s/1/v0");
    await get("/pub/nothing");
    const text = await (await get("/metrics")).text();
    expect(text).toContain('dupmirror_http_requests_total{mirror="pub",status="200"} 1');
    expect(text).toContain('dupmirror_http_requests_total{mirror="pub",status="404"} 1');
    expect(text).toContain('dupmirror_http_sent_bytes_total{mirror="pub"} 10');
  });

  it("says why it cannot listen", async () => {
    const port = portOf(server);
    const again = serveFolders({
      listen: { host: "127.0.0.1", port },
      folders: new Map([["", folder]]),
      runtime,
      signal: stop.signal,
    });
    await expect(again).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(again).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: `);
  });

  it("serves one folder at the root", async () => {
    const root = await serveFolders({
      listen: { host: "127.0.0.1", port: 0 },
      folders: new Map([["", folder]]),
      runtime,
      signal: stop.signal,
    });
    expect(await (await fetch(`${root.url}/head`)).text()).toBe("first\n");
    expect((await fetch(`${root.url}/`)).status).toBe(404);
    await root.close();
  });
});

describe("serving on a Unix socket", () => {
  const serveOn = async (socket: string) =>
    serveFolders({
      listen: { path: socket },
      folders: new Map([["pub", folder]]),
      runtime,
      signal: stop.signal,
    });

  it("gives the same as over TCP, to everybody who may reach the socket", async () => {
    const socket = path.join(root, "own.sock");
    const own = await serveOn(socket);

    expect(own.url).toBe(`unix:${socket}:`);
    expect(statSync(socket).mode & 0o777).toBe(0o777);
    expect(await textOver(socket, "/pub/head")).toBe("first\n");
    await own.close();
    expect(existsSync(socket)).toBe(false);
  });

  it("takes the place of a server that was killed, and of none that lives", async () => {
    const socket = path.join(root, "own.sock");
    await leaveDeadSocket(socket);
    const own = await serveOn(socket);

    expect(await textOver(socket, "/pub/head")).toBe("first\n");
    await expect(serveOn(socket)).rejects.toThrow(`cannot listen on ${socket}: `);
    expect(await textOver(socket, "/pub/head")).toBe("first\n");
    await own.close();
  });

  it("leaves a file alone that stands in its place", async () => {
    const socket = path.join(root, "secret");

    await expect(serveOn(socket)).rejects.toThrow(`cannot listen on ${socket}: `);
    expect(readFileSync(socket, "utf8")).toBe("secret");
  });
});

async function textOver(socketPath: string, place: string): Promise<string> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath, path: place }, (answer) => resolve(text(answer)))
      .on("error", reject)
      .end();
  });
}

/** As a process leaves it that was killed: nobody listens any more. */
async function leaveDeadSocket(socket: string): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 9))`;
  await execa(process.execPath, ["-e", script], { reject: false });
  expect(existsSync(socket)).toBe(true);
}

function portOf({ url }: StaticServer): number {
  return Number(new URL(url).port);
}

function replaceHead(text: string): void {
  writeFileSync(path.join(folder, "next"), text);
  renameSync(path.join(folder, "next"), path.join(folder, "head"));
}

/** Sends the path as it stands, which fetch would put in order. */
async function rawStatus(place: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: portOf(server), path: place };
    httpRequest(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}
