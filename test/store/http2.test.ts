/** HTTP/2 servers that misbehave. What good ones do is tested with nginx. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSource } from "../../src/store/open-source.js";
import type { SourceLimits } from "../../src/store/source.js";
import { Random } from "../support/random.js";
import { makeCertificates } from "./certificates.js";
import { HASTY_LIMITS, neverAborted, PATIENT_LIMITS, testRuntime } from "./runtime.js";

const PACK = new Random(31).bytes(200_000);
const RANGE = { offset: 1000, sizeBytes: 100_000 };
const WANTED = PACK.subarray(1000, 101_000);

describe("a server of HTTP/2", () => {
  it.each([
    ["resets the stream", (stream: ServerHttp2Stream) => stream.close(2)],
    ["says goodbye", (stream: ServerHttp2Stream) => stream.session?.goaway(0)],
    ["says goodbye for a reason", (stream: ServerHttp2Stream) => stream.session?.goaway(2)],
    ["is gone", (stream: ServerHttp2Stream) => stream.session?.destroy()],
  ])("that %s in the middle of a body is asked for the rest", async (_, act) => {
    const { read, ranges } = await serverThat((stream, headers) => {
      const rest = beginRange(stream, headers);
      if (ranges.length > 1) stream.end(rest);
      else stream.write(rest.subarray(0, 30_000), () => setImmediate(() => act(stream)));
    });

    expect(Buffer.compare(await read(), WANTED)).toBe(0);
    expect(ranges).toHaveLength(2);
  });

  it("that says goodbye before it answers is asked once more, and no more", async () => {
    const { read, ranges } = await serverThat((stream) => stream.session?.goaway(0));

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
    expect(ranges).toStrictEqual(["bytes=1000-100999", "bytes=1000-100999"]);
  });

  it("that sends less than it promised is not taken for a short file", async () => {
    const { read } = await serverThat((stream, headers) => {
      stream.end(beginRange(stream, headers).subarray(0, 10));
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
  });

  it("that sends more than was asked for is refused", async () => {
    const { read } = await serverThat((stream) => {
      stream.respond({ ":status": 206, "content-range": "bytes 1000-100999/200000" });
      stream.end(PACK);
    });

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  it("that never answers is given up", async () => {
    const { read } = await serverThat(() => undefined, HASTY_LIMITS);

    await expect(read()).rejects.toThrow("no answer after 200 ms");
  });

  it("that stalls is given up", async () => {
    const { read } = await serverThat((stream, headers) => {
      stream.write(beginRange(stream, headers).subarray(0, 10));
    }, HASTY_LIMITS);

    await expect(read()).rejects.toThrow("bytes in 200 ms");
  });

  it("that never answers keeps no source open", async () => {
    const { read, source } = await serverThat(() => void source.close());

    await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREACHABLE" });
  });

  it("that wants to be left alone says so", async () => {
    const { read } = await serverThat((stream) => {
      stream.respond({ ":status": 429, "retry-after": "9" }, { endStream: true });
    });

    await expect(read()).rejects.toMatchObject({ retryAfterMs: 9000 });
  });

  it("goes on with the other reads when one is cancelled", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const held: (() => void)[] = [];
    const { read, ranges } = await serverThat((stream, headers) => {
      const rest = beginRange(stream, headers);
      held.push(() => stream.end(rest));
      if (ranges.length < 4) return;
      controller.abort(reason);
      setImmediate(() => held.forEach((end) => end()));
    });

    const cancelled = [read(controller.signal), read(controller.signal)];
    const others = [read(), read()];
    for (const one of cancelled) one.catch(() => undefined);

    for (const one of cancelled) await expect(one).rejects.toBe(reason);
    for (const one of others) expect(Buffer.compare(await one, WANTED)).toBe(0);
  });
});

type Behaviour = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

async function serverThat(behave: Behaviour, limits: SourceLimits = PATIENT_LIMITS) {
  const certificates = makeCertificates();
  const { certFile, keyFile } = certificates.server;
  const server = createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const sessions = new Set<ServerHttp2Session>();
  const ranges: (string | undefined)[] = [];
  server.on("session", (session) => sessions.add(session.on("error", () => undefined)));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    ranges.push(headers.range);
    behave(stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const source = openSource({
    url: `https://127.0.0.1:${port}/pub`,
    access: { tls: { caFile: certificates.caFile } },
    http2: true,
    limits,
    runtime: testRuntime(),
  });
  onTestFinished(() => source.close());
  const read = (signal = neverAborted()) => source.read("pack", RANGE, { signal });
  return { source, read, ranges };
}

/** Promises the range asked for, and returns it. */
function beginRange(stream: ServerHttp2Stream, { range }: IncomingHttpHeaders): Uint8Array {
  const [first, last] =
    /(\d+)-(\d+)/
      .exec(range ?? "")
      ?.slice(1)
      .map(Number) ?? [];
  const part = PACK.subarray(first, (last ?? 0) + 1);
  stream.respond({
    ":status": 206,
    "content-length": part.length,
    "content-range": `bytes ${first ?? ""}-${last ?? ""}/${PACK.length}`,
    etag: '"v1"',
  });
  return part;
}
