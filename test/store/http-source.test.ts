import type { ServerResponse } from "node:http";
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

describe("a server that breaks off", () => {
  it("cannot be reached when nobody listens", async () => {
    const source = open("http://127.0.0.1:1/pub");

    const read = source.read("pack", RANGE, { signal: neverAborted() });

    await expect(read).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
  });

  it.each([
    ["before it answers", (response: ServerResponse) => response.destroy()],
    [
      "in the middle of a body",
      (response: ServerResponse) => {
        begin(response);
        response.write(WANTED.subarray(0, 50_000), () => response.destroy());
      },
    ],
    [
      "with a reset",
      (response: ServerResponse) => {
        begin(response);
        response.write(WANTED.subarray(0, 50_000), () => response.socket?.resetAndDestroy());
      },
    ],
  ])("counts as unreachable %s", async (_, act) => {
    const { read } = await serverThat((_request, response) => {
      act(response);
    });

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
