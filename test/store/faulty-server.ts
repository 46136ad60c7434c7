/** A real HTTP server that serves one folder's worth of bytes, and misbehaves as it is told. */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Certificates } from "./certificates.js";

/** What the server does with the next request; gets the request and must answer, or not. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface FaultyServer {
  readonly url: string;
  readonly files: Map<string, Uint8Array>;
  /** Requests that came, as `path range`. */
  readonly requests: string[];
  /** From now on, every request is treated so; `undefined` for proper service. */
  misbehave(how: Misbehaviour | undefined): void;
  openConnections(): Promise<number>;
}

export interface ServerOptions {
  /** Speaks TLS, and asks for a client's certificate; whether it has a good one is in `request.socket`. */
  readonly certificates?: Certificates;
}

/** Closed, with all its connections, when the test ends. */
export async function startFaultyServer(
  files: Readonly<Record<string, Uint8Array>> = {},
  { certificates }: ServerOptions = {},
): Promise<FaultyServer> {
  let how: Misbehaviour | undefined;
  const held = new Map(Object.entries(files));
  const requests: string[] = [];
  const answer: Misbehaviour = (request, response) => {
    requests.push(`${request.url ?? ""} ${request.headers.range ?? ""}`.trim());
    (how ?? serveFrom(held))(request, response);
  };
  const server =
    certificates === undefined
      ? createServer(answer)
      : createTlsServer(tlsOptions(certificates), answer);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `${certificates === undefined ? "http" : "https"}://127.0.0.1:${portOf(server.address())}/pub`,
    files: held,
    requests,
    misbehave: (next) => {
      how = next;
    },
    openConnections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error === null) resolve(count);
          else reject(error);
        });
      }),
  };
}

/** Proper service: GET with single ranges and entity tags. */
export function serveFrom(files: ReadonlyMap<string, Uint8Array>): Misbehaviour {
  return (request, response) => {
    const { status, headers, body } = properAnswer(files, request);
    response.writeHead(status, headers).end(body);
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Uint8Array;
}

export function properAnswer(
  files: ReadonlyMap<string, Uint8Array>,
  request: IncomingMessage,
): Answer {
  const nothing = { headers: {}, body: new Uint8Array() };
  const bytes = files.get((request.url ?? "").replace(/^\/pub\//, ""));
  if (bytes === undefined) return { ...nothing, status: 404 };
  const etag = `"${bytes.length}-${Buffer.from(bytes.subarray(0, 16)).toString("hex")}"`;
  if (request.headers["if-none-match"] === etag) return { ...nothing, status: 304 };
  const range = rangeOf(request, bytes.length);
  if (range === undefined) return { status: 200, headers: { etag }, body: bytes };
  if (range.start >= bytes.length) return { ...nothing, status: 416 };
  const body = bytes.subarray(range.start, range.end + 1);
  const contentRange = `bytes ${range.start}-${range.end}/${bytes.length}`;
  const headers = { etag, "content-length": body.length, "content-range": contentRange };
  return { status: 206, headers, body };
}

/** The range asked for, cut to the file. */
export function rangeOf(
  request: IncomingMessage,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | undefined {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (match === null) return undefined;
  return { start: Number(match[1]), end: Math.min(Number(match[2]), sizeBytes - 1) };
}

function tlsOptions({ caFile, server }: Certificates) {
  return {
    ca: readFileSync(caFile),
    cert: readFileSync(server.certFile),
    key: readFileSync(server.keyFile),
    requestCert: true,
    rejectUnauthorized: false,
  };
}

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
