import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSource } from "../../src/store/open-source.js";
import type { Source, SourceLimits } from "../../src/store/source.js";
import { Random } from "../support/random.js";
import { type Misbehaviour, rangeOf, startFaultyServer } from "./faulty-server.js";
import { HASTY_LIMITS, neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";

const PACK = new Random(11).bytes(200_000);
const RANGE = { offset: 1000, sizeBytes: 100_000 };
const WANTED = PACK.subarray(1000, 101_000);

describe("a server that is slow", () => {
  it("is given up when it never answers", async () => {
    const { read } = await serverThat(() => undefined);

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_TIMEOUT" });
  });

  it("is given up when it stalls in the middle of a body", async () => {
    const { read } = await serverThat((_, response) => {
      begin(response);
      response.write(WANTED.subarray(0, 50_000));
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_TIMEOUT" });
  });

  it("is given up when it sends a byte at a time", async () => {
    const { read } = await serverThat((_, response) => {
      begin(response);
      drip(response, 10);
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_TIMEOUT" });
  });

  it("is given up at the limit of the whole request, though it is fast enough", async () => {
    const limits = { ...HASTY_LIMITS, totalMs: 400, lowSpeedBytesPerSecond: 1 };
    const { read } = await serverThat((_, response) => {
      begin(response);
      drip(response, 10);
    }, limits);

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_TIMEOUT" });
  });

  it("is given up when its redirect leads nowhere", async () => {
    const { read } = await serverThat((request, response) => {
      if (request.url?.endsWith("/elsewhere") === true) return;
      response.writeHead(302, { location: "/elsewhere" }).end();
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_TIMEOUT" });
  });

  it("may hold the head back for as long as it was allowed to", async () => {
    const { source, server } = await serverThat((_, response) => {
      setTimeout(() => response.end("a head"), 600);
    });

    const answer = await source.readHead({ signal: neverAborted(), waitMs: 5000 });

    expect(answer?.bytes.toString()).toBe("a head");
    expect(server.requests).toHaveLength(1);
  });

  it("is given up when it holds the head back without leave", async () => {
    const { source } = await serverThat(() => undefined);

    const answer = source.readHead({ signal: neverAborted() });

    await expect(answer).rejects.toMatchObject({ code: "SOURCE_TIMEOUT" });
  });

  it("is not blamed while this process is busy", async () => {
    const { read } = await serverThat((_, response) => {
      begin(response);
      response.write(WANTED.subarray(0, 50_000));
      setImmediate(() => {
        busyFor(600);
        response.end(WANTED.subarray(50_000));
      });
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
  });
});

describe("each limit by itself", () => {
  const LONG = { connectMs: 60_000, firstByteMs: 60_000, idleMs: 60_000, totalMs: 60_000 };
  const limitTo = (limit: Partial<SourceLimits>): SourceLimits => ({
    ...LONG,
    lowSpeedBytesPerSecond: 0,
    ...limit,
  });

  it("bounds the connection", async () => {
    // No address that answers nothing is at hand: a TLS server that never shakes hands is as black a hole.
    const server = await startSilentServer();
    const source = open(`https://127.0.0.1:${server.port}/pub`, limitTo({ connectMs: 200 }));

    await expect(source.read("pack", RANGE, { signal: neverAborted() })).rejects.toMatchObject({
      code: "SOURCE_TIMEOUT",
      message: `https://127.0.0.1:${server.port}/pub/pack: no connection after 200 ms`,
    });
  });

  it("bounds the time to the first byte", async () => {
    const { read, server } = await serverThat(() => undefined, limitTo({ firstByteMs: 200 }));

    await expect(read()).rejects.toMatchObject({
      code: "SOURCE_TIMEOUT",
      message: `${server.url}/pack: no answer after 200 ms`,
    });
  });

  it("bounds a pause in the body", async () => {
    const { read, server } = await serverThat(
      (_, response) => {
        begin(response);
        response.write(WANTED.subarray(0, 50_000));
      },
      limitTo({ idleMs: 200 }),
    );

    await expect(read()).rejects.toMatchObject({
      code: "SOURCE_TIMEOUT",
      message: `${server.url}/pack: 0 bytes in 200 ms, at least 0 a second expected`,
    });
  });

  it("bounds how slow a body may be", async () => {
    const { read } = await serverThat(
      (_, response) => {
        begin(response);
        drip(response, 10);
      },
      limitTo({ idleMs: 400, lowSpeedBytesPerSecond: 1000 }),
    );

    await expect(read()).rejects.toThrow(/: \d+ bytes in 400 ms, at least 1000 a second expected$/);
  });

  it("bounds all of it", async () => {
    const { read, server } = await serverThat(
      (_, response) => {
        begin(response);
        drip(response, 10);
      },
      limitTo({ totalMs: 300 }),
    );

    await expect(read()).rejects.toMatchObject({
      code: "SOURCE_TIMEOUT",
      message: `${server.url}/pack: not done after 300 ms`,
    });
  });
});

describe("a body that breaks off", () => {
  it("is gone on with where it ended, of the same version", async () => {
    const { read, server, asked } = await serverThatBreaks({
      after: [30_000, 20_000],
      etag: '"v1"',
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
    expect(server.requests).toStrictEqual([
      "/pub/pack bytes=1000-100999",
      "/pub/pack bytes=31000-100999",
      "/pub/pack bytes=51000-100999",
    ]);
    expect(asked).toStrictEqual([undefined, '"v1"', '"v1"']);
  });

  it("is gone on with where the server names no versions, or only weak ones", async () => {
    for (const etag of [undefined, 'W/"v1"']) {
      const { read, asked } = await serverThatBreaks({ after: [30_000], etag });

      expect(Buffer.compare(await read(), WANTED)).toBe(0);
      expect(asked).toStrictEqual([undefined, undefined]);
    }
  });

  it("is not gone on with again and again", async () => {
    const { read, server } = await serverThatBreaks({ after: [10, 10, 10, 10, 10], etag: '"v1"' });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
    expect(server.requests).toHaveLength(3);
  });

  it("is not asked for again when nothing of it had come", async () => {
    const { read, server } = await serverThat((_, response) => {
      begin(response);
      response.flushHeaders();
      setImmediate(() => response.destroy());
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
    expect(server.requests).toHaveLength(1);
  });

  it("is given up when the rest does not come", async () => {
    const { read, server } = await serverThat((request, response) => {
      if (server.requests.length > 1) response.writeHead(503, { "retry-after": "7" }).end();
      else breakAfter(request, response, 30_000, '"v1"');
    });

    await expect(read()).rejects.toMatchObject({
      code: "SOURCE_UNREACHABLE",
      retryAfterMs: 7000,
    });
  });

  it("begins anew with another version of the file, which is sent whole", async () => {
    const other = new Random(12).bytes(200_000);
    const { read, server } = await serverThat((request, response) => {
      if (request.headers["if-range"] === undefined) breakAfter(request, response, 30_000, '"v1"');
      else response.writeHead(200, { etag: '"v2"' }).end(other);
    });

    expect(Buffer.compare(await read(), other.subarray(1000, 101_000))).toBe(0);
    expect(server.requests).toHaveLength(2);
  });

  it("begins anew with another version, when its range alone is sent", async () => {
    const { read, server } = await serverThat((request, response) => {
      const etag = server.requests.length === 1 ? '"v1"' : '"v2"';
      breakAfter(request, response, server.requests.length === 1 ? 30_000 : 200_000, etag);
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
    expect(server.requests).toStrictEqual([
      "/pub/pack bytes=1000-100999",
      "/pub/pack bytes=31000-100999",
      "/pub/pack bytes=1000-100999",
    ]);
  });
});

describe("a server that wants to be left alone", () => {
  it.each([
    [429, "120", 120_000],
    [503, "0", 0],
    [503, "999999999", 3_600_000],
    [503, "Thu, 01 Jan 1970 00:00:00 GMT", 0],
    [503, "Fri, 31 Dec 9999 23:59:59 GMT", 3_600_000],
    [503, "soon", undefined],
    [503, "-1", undefined],
    [503, "1e9", undefined],
  ])("says so with status %d and %j", async (status, header, retryAfterMs) => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(status, { "retry-after": header }).end();
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE", retryAfterMs });
  });
});

describe("a server that breaks off", () => {
  it("cannot be reached when nobody listens", async () => {
    const source = open("http://127.0.0.1:1/pub");

    const read = source.read("pack", RANGE, { signal: neverAborted() });

    await expect(read).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
  });

  it.each([
    ["before it answers", (_: IncomingMessage, response: ServerResponse) => response.destroy()],
    [
      "in the middle of a body, again and again",
      (request: IncomingMessage, response: ServerResponse) => {
        breakAfter(request, response, 10_000, undefined);
      },
    ],
    [
      "with a reset",
      (request: IncomingMessage, response: ServerResponse) => {
        beginRange(request, response);
        response.write(WANTED.subarray(0, 10_000), () => response.socket?.resetAndDestroy());
      },
    ],
  ])("counts as unreachable %s", async (_, act) => {
    const { read } = await serverThat(act);

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
  });

  it.each([500, 502, 503, 504, 429, 408])(
    "counts as unreachable with status %d",
    async (status) => {
      const { read } = await serverThat((_, response) => {
        response.writeHead(status).end("sorry");
      });

      await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
    },
  );

  it("serves again once it has recovered, over the same source", async () => {
    const { read, server } = await serverThat((_, response) => response.destroy());
    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });

    server.misbehave(undefined);

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
  });
});

describe("a server that answers something else", () => {
  it.each([403, 404, 410])("does not have the file when it says %d", async (status) => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(status).end("no");
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  });

  it.each([204, 206, 400, 401])("is refused with status %d", async (status) => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(status).end();
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it.each([
    "bytes 0-99999/200000",
    "bytes 1001-101000/200000",
    "bytes 1000-101000/200000",
    "bytes 1000-100999",
    "bytes=1000-100999/200000",
    "",
  ])("is refused with Content-Range %j", async (range) => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(206, { "content-range": range }).end(WANTED);
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("has too little when its Content-Range ends early", async () => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(206, { "content-range": "bytes 1000-50999/51000" });
      response.end(WANTED.subarray(0, 50_000));
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_SHORT" });
  });

  it("is refused when the body is longer than its Content-Range", async () => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(206, { "content-range": CONTENT_RANGE });
      response.write(WANTED);
      response.end("more");
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("has too little when the body is shorter than its Content-Range", async () => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(206, { "content-range": CONTENT_RANGE });
      response.write(WANTED.subarray(0, 50_000));
      response.end();
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_SHORT" });
  });

  it("is refused when the body never ends", async () => {
    const { read, server } = await serverThat((_, response) => {
      response.writeHead(206, { "content-range": CONTENT_RANGE });
      flood(response);
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
    expect(server.requests).toHaveLength(1);
  });

  it("is refused when the head never ends", async () => {
    const { source } = await serverThat((_, response) => flood(response));

    const answer = source.readHead({ signal: neverAborted() });

    await expect(answer).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("is refused when an error page never ends, but for what the status says", async () => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(404);
      flood(response);
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  });

  it.each(["gzip", "br", "deflate"])("is refused when it sends %s", async (encoding) => {
    const { read } = await serverThat((_, response) => {
      begin(response, { "content-encoding": encoding });
      response.end(WANTED);
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("is refused when its headers are endless", async () => {
    const { read } = await serverThat((_, response) => {
      response.writeHead(206, { filler: "x".repeat(100_000) }).end();
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("is refused when it does not speak HTTP", async () => {
    const { read } = await serverThat((_, response) => {
      response.socket?.end("220 mail.example ESMTP\r\n\r\n");
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("gives other bytes without complaint: what they are is for the caller to check", async () => {
    const { read } = await serverThat((_, response) => {
      begin(response);
      response.end(Buffer.alloc(WANTED.length, 7));
    });

    expect(Buffer.compare(await read(), Buffer.alloc(WANTED.length, 7))).toBe(0);
  });
});

describe("a server without ranges", () => {
  it("is cut down to what was asked for, near the beginning of a file", async () => {
    const { read } = await serverThat((_, response) => {
      response.end(PACK);
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
  });

  it("is not made to send the whole of an endless file", async () => {
    const { read } = await serverThat((_, response) => {
      response.write(PACK);
      flood(response);
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
  });

  it("has too little when the whole file is too short", async () => {
    const { read } = await serverThat((_, response) => {
      response.end(PACK.subarray(0, 100_999));
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_SHORT" });
  });

  it("is refused far from the beginning of a file", async () => {
    const { source } = await serverThat((_, response) => {
      response.end(PACK);
    });

    const range = { offset: 8 * 1024 * 1024, sizeBytes: 10 };
    const read = source.read("pack", range, { signal: neverAborted() });

    await expect(read).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });
});

describe("a server that redirects", () => {
  it.each([301, 302, 303, 307, 308])("is followed with status %d", async (status) => {
    const { read, server } = await serverThat((request, response) => {
      if (request.url === "/pub/pack") {
        response.writeHead(status, { location: "../other/pack" }).end();
        return;
      }
      const range = rangeOf(request, PACK.length);
      begin(response);
      response.end(PACK.subarray(range?.start, (range?.end ?? 0) + 1));
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
    expect(server.requests).toStrictEqual([
      "/pub/pack bytes=1000-100999",
      "/other/pack bytes=1000-100999",
    ]);
  });

  it("is refused when it does so without end", async () => {
    const { read, server } = await serverThat((_, response) => {
      response.writeHead(302, { location: "/pub/pack" }).end();
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
    expect(server.requests).toHaveLength(4);
  });

  it.each(["", "http://", "file:///etc/passwd", "ftp://127.0.0.1/pack", "http://u:p@127.0.0.1/"])(
    "is refused when it leads to %j",
    async (location) => {
      const { read, server } = await serverThat((_, response) => {
        response.writeHead(302, { location }).end();
      });

      await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
      expect(server.requests).toHaveLength(1);
    },
  );
});

describe("cancelling", () => {
  it("ends a read that waits, and closes its connection", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { source, server } = await serverThat(() => controller.abort(reason));

    const read = source.read("pack", RANGE, { signal: controller.signal });

    await expect(read).rejects.toBe(reason);
    await expect.poll(() => server.openConnections()).toBe(0);
  });

  it("ends a read that has no connection yet", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { port } = await startSilentServer(() => controller.abort(reason));
    const source = open(`https://127.0.0.1:${port}/pub`, PATIENT_LIMITS);

    const read = source.read("pack", RANGE, { signal: controller.signal });

    await expect(read).rejects.toBe(reason);
  });

  it("ends a read in the middle of a body", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { source } = await serverThat((_, response) => {
      begin(response);
      response.write(WANTED.subarray(0, 50_000), () => controller.abort(reason));
    });

    const read = source.read("pack", RANGE, { signal: controller.signal });

    await expect(read).rejects.toBe(reason);
  });

  it("ends all reads when the source is closed", async () => {
    const { source, server, read } = await serverThat(() => void source.close(), PATIENT_LIMITS);

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
    await expect.poll(() => server.openConnections()).toBe(0);
  });
});

const CONTENT_RANGE = "bytes 1000-100999/200000";

async function serverThat(how: Misbehaviour, limits: SourceLimits = HASTY_LIMITS) {
  const server = await startFaultyServer({ pack: PACK });
  server.misbehave(how);
  const source = open(server.url, limits);
  const read = () => source.read("pack", RANGE, { signal: neverAborted() });
  return { server, source, read };
}

function open(url: string, limits: SourceLimits = HASTY_LIMITS): Source {
  const source = openSource({ url, limits, runtime: testRuntime() });
  onTestFinished(() => source.close());
  return source;
}

/** Breaks the bodies of its answers off, each after so many bytes; those after them are whole. */
async function serverThatBreaks(how: {
  readonly after: readonly number[];
  readonly etag: string | undefined;
}) {
  const asked: (string | undefined)[] = [];
  const made = await serverThat((request, response) => {
    asked.push(request.headers["if-range"]?.toString());
    breakAfter(request, response, how.after[asked.length - 1] ?? PACK.length, how.etag);
  });
  return { ...made, asked };
}

/** Answers with the range asked for, but for what comes after `sizeBytes`. */
function breakAfter(
  request: IncomingMessage,
  response: ServerResponse,
  sizeBytes: number,
  etag: string | undefined,
): void {
  const part = beginRange(request, response, etag);
  if (sizeBytes >= part.length) response.end(part);
  else response.write(part.subarray(0, sizeBytes), () => response.socket?.end());
}

/** Promises the range asked for, and returns it. */
function beginRange(request: IncomingMessage, response: ServerResponse, etag?: string): Uint8Array {
  const range = rangeOf(request, PACK.length) ?? { start: 0, end: PACK.length - 1 };
  const part = PACK.subarray(range.start, range.end + 1);
  response.writeHead(206, {
    "content-length": part.length,
    "content-range": `bytes ${range.start}-${range.end}/${PACK.length}`,
    ...(etag === undefined ? {} : { etag }),
  });
  return part;
}

/** Takes connections, and says nothing. */
async function startSilentServer(
  onConnection: () => void = () => undefined,
): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    onConnection();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0 };
}

function begin(response: ServerResponse, headers: Record<string, string> = {}): void {
  response.writeHead(206, {
    "content-length": WANTED.length,
    "content-range": CONTENT_RANGE,
    ...headers,
  });
}

/** A byte every `pauseMs`. */
function drip(response: ServerResponse, pauseMs: number): void {
  const timer = setInterval(() => response.write("x"), pauseMs);
  response.on("close", () => clearInterval(timer));
}

function flood(response: ServerResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write(PACK));
  };
  response.on("drain", more);
  more();
}

function busyFor(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}
