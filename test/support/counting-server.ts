/** A static HTTP source, nothing of ours, that counts every byte on its sockets. */
import { createReadStream, type Stats, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

export interface CountingServer {
  readonly url: string;
  /** Both directions, headers included, since the last `reset`. */
  bytes(): number;
  /** `METHOD path status`, since the last `reset`. */
  requests(): readonly string[];
  reset(): void;
  close(): Promise<void>;
}

/** Serves `folder` on a port of the system's choice, all requests together at no more than `bytesPerSecond`. */
export async function startCountingServer(
  folder: string,
  { bytesPerSecond = Number.POSITIVE_INFINITY } = {},
): Promise<CountingServer> {
  const pace = new Pace(bytesPerSecond);
  const sockets = new Set<Socket>();
  let before = 0;
  let requests: string[] = [];
  const bytes = () => [...sockets].reduce((sum, one) => sum + one.bytesRead + one.bytesWritten, 0);
  const server = createServer((request, response) => {
    response.on("finish", () =>
      requests.push(`${request.method ?? ""} ${request.url ?? ""} ${response.statusCode}`),
    );
    answer({ folder, pace }, request, response).catch(() => response.destroy());
  });
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    bytes: () => bytes() - before,
    requests: () => requests,
    reset: () => {
      before = bytes();
      requests = [];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Served {
  readonly folder: string;
  readonly pace: Pace;
}

async function answer(
  { folder, pace }: Served,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = path.join(folder, new URL(request.url ?? "/", "http://x").pathname);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) return void response.writeHead(404).end();
  const etag = `"${stat.size}-${stat.mtimeMs}"`;
  if (request.headers["if-none-match"] === etag)
    return void response.writeHead(304, { etag }).end();
  const range = rangeOf(request, stat);
  if (range === "none") return void response.writeHead(416).end();
  const { start, end } = range ?? { start: 0, end: stat.size - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    etag,
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${stat.size}` }),
  });
  if (request.method === "HEAD" || end < start) return void response.end();
  const content = createReadStream(file, { start, end });
  await pipeline(content, (chunks: AsyncIterable<Buffer>) => pace.slow(chunks), response);
}

/** What all answers share of a line. */
class Pace {
  readonly #bytesPerSecond: number;
  #freeMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async *slow(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      const now = performance.now();
      this.#freeMs = Math.max(this.#freeMs, now) + (1000 * chunk.length) / this.#bytesPerSecond;
      if (this.#freeMs - now > 1) await sleep(this.#freeMs - now);
      yield chunk;
    }
  }
}

function rangeOf(
  request: IncomingMessage,
  stat: Stats,
): { readonly start: number; readonly end: number } | "none" | undefined {
  const found = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  if (found?.[1] === undefined) return undefined;
  const start = Number.parseInt(found[1], 10);
  if (start >= stat.size) return "none";
  const end =
    found[2] === undefined || found[2] === "" ? stat.size - 1 : Number.parseInt(found[2], 10);
  return { start, end: Math.min(end, stat.size - 1) };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
