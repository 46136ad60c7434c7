/**
 * Publications over HTTP, read-only: whole files and single ranges, strong ETags, long polls on heads.
 * Any web server can stand in its place; only the long poll is ours (docs/formats.md, "long poll").
 */
import { connect } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { BufferPool } from "../bytes/buffer-pool.js";
import { systemCode } from "../disk/disk-failure.js";
import { removeFile } from "../disk/durable.js";
import { FILE_PIECE_BYTES, type FileIdentity, isSocket, readRange } from "../disk/files.js";
import { servedFile } from "../disk/served-file.js";
import { isMirrorError, MirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import { parseByteRange } from "./byte-range.js";
import { HeadWatch } from "./head-watch.js";
import type { Metrics } from "./metrics.js";
import { sendFile } from "./send-file.js";
import { type Located, locate } from "./served-path.js";
import { formatStatusPage } from "./status-page.js";

/** `path`: that of a Unix socket. */
type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface ServeOptions {
  readonly listen: ListenAddress;
  /** The first component of a URL's path, and the folder it stands for; `""`: the one folder at `/`. */
  readonly folders: ReadonlyMap<string, string>;
  readonly runtime: Runtime;
  /** Also served as `/metrics`. */
  readonly metrics?: Metrics;
  /** Lines of the page at `/`: what each mirror's state is. */
  readonly status?: () => readonly string[];
  readonly signal: AbortSignal;
}

export interface StaticServer {
  readonly url: string;
  /** Answers those who wait for a new head. */
  headChanged(): void;
  close(): Promise<void>;
}

/** Listens until `close`, or until `signal` aborts. @throws MirrorError CONFIG_INVALID when it cannot listen. */
export async function serveFolders(options: ServeOptions): Promise<StaticServer> {
  const stopped = new AbortController();
  const watch = new HeadWatch(etagOf);
  const server = createServer();
  const pieces = new BufferPool(FILE_PIECE_BYTES);
  addRoutes(server, { ...options, watch, pieces, stopped: stopped.signal });
  await listen(server, options.listen);
  const close = async (): Promise<void> => {
    stopped.abort();
    await server.close();
  };
  if (options.signal.aborted) await close();
  options.signal.addEventListener("abort", () => void close(), { once: true });
  const bound = boundAddress(server, options.listen);
  return { url: addressUrl(bound), headChanged: () => watch.look(), close };
}

/** With the port that the system chose, if it was to choose one. */
function boundAddress(server: FastifyInstance, listen: ListenAddress): ListenAddress {
  const bound = server.addresses()[0];
  return typeof bound === "object" && "host" in listen ? { ...listen, port: bound.port } : listen;
}

/** What URLs of that server begin with. */
function addressUrl(address: ListenAddress): string {
  if ("path" in address) return `unix:${address.path}:`;
  const { host, port } = address;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

interface Serving extends ServeOptions {
  readonly watch: HeadWatch;
  readonly pieces: BufferPool;
  readonly stopped: AbortSignal;
}

/** Up to here a body is read whole, so that it is one version of the file. */
const WHOLE_READ_MAX_BYTES = 64 * 1024;

/** How long a request may wait for a head; below the idle limits of common proxies. */
const WAIT_MAX_SECONDS = 55;

function createServer(): FastifyInstance {
  return fastify({
    logger: false,
    bodyLimit: 1024,
    connectionTimeout: 120_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  });
}

async function listen(server: FastifyInstance, address: ListenAddress): Promise<void> {
  try {
    if (!("path" in address)) await server.listen(address);
    else {
      await removeDeadSocket(address.path);
      // Whoever may look into its folder may read what is public anyway.
      await server.listen({ ...address, readableAll: true, writableAll: true });
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const where = "path" in address ? address.path : `${address.host}:${address.port}`;
    throw new MirrorError("CONFIG_INVALID", `cannot listen on ${where}: ${why}`, { cause });
  }
}

/** What a server that was killed left there would be in the way; one that somebody listens on stays. */
async function removeDeadSocket(path: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error) => resolve(systemCode(error)));
  });
  if (code === "ECONNREFUSED" && isSocket(path)) removeFile(path);
}

function addRoutes(server: FastifyInstance, serving: Serving): void {
  const { folders, metrics, runtime } = serving;
  if (metrics !== undefined) {
    server.get("/metrics", async (_, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    );
  }
  if (!folders.has("")) {
    server.get("/", async (_, reply) =>
      reply.type("text/html; charset=utf-8").send(formatStatusPage(folders, serving.status?.())),
    );
  }
  server.route({
    method: ["GET", "HEAD"],
    url: "/*",
    handler: async (request, reply) => answer(serving, request, reply),
  });
  server.setNotFoundHandler(async (_, reply) => refuse(reply, 404, "not found"));
  server.setErrorHandler(async (error, request, reply) => {
    if (isMirrorError(error, "SOURCE_MISSING")) return refuse(reply, 404, "not found");
    const code = statusOf(error);
    if (code >= 500) {
      runtime.log.error("http.failed", { url: request.url, message: String(error) });
    }
    return refuse(reply, code, code >= 500 ? "failed" : "refused");
  });
  server.addHook("onResponse", async (request, reply) => {
    const mirror = locate(folders, request.raw.url ?? "")?.mirror ?? "";
    metrics?.add("dupmirror_http_requests_total", { mirror, status: String(reply.statusCode) });
  });
}

async function answer(
  serving: Serving,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const file = locate(serving.folders, request.raw.url ?? "");
  if (file === undefined) return refuse(reply, 404, "not found");
  if (file.isHead) await waitForChange(serving, file, request, reply);
  const identity = servedFile(file.folder, file.path);
  if (identity === undefined) return refuse(reply, 404, "not found");
  const etag = formatEtag(identity);
  reply.headers({
    etag,
    "last-modified": new Date(Number(identity.mtimeNs / 1_000_000n)).toUTCString(),
    "cache-control": file.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    "accept-ranges": "bytes",
    "x-content-type-options": "nosniff",
  });
  if (matches(request.headers["if-none-match"], etag)) return reply.code(304).send();
  const ifRange = request.headers["if-range"];
  const isSame = ifRange === undefined || ifRange === etag;
  const range = parseByteRange(isSame ? request.headers.range : undefined, identity.sizeBytes);
  switch (range.kind) {
    case "unsatisfiable":
      reply.header("content-range", `bytes */${identity.sizeBytes}`);
      return refuse(reply, 416, "range not satisfiable");
    case "whole":
      return sendBody(serving, reply, { file, start: 0, sizeBytes: identity.sizeBytes, etag });
    case "part": {
      const { start, sizeBytes } = range;
      const last = start + sizeBytes - 1;
      reply.code(206).header("content-range", `bytes ${start}-${last}/${identity.sizeBytes}`);
      return sendBody(serving, reply, { file, start, sizeBytes, etag });
    }
  }
}

interface Body {
  readonly file: Located;
  readonly start: number;
  readonly sizeBytes: number;
  readonly etag: string;
}

async function sendBody(serving: Serving, reply: FastifyReply, body: Body): Promise<FastifyReply> {
  const { file, start, sizeBytes } = body;
  reply.type(file.type).header("content-length", sizeBytes);
  if (reply.request.method === "HEAD") return reply.send();
  serving.metrics?.add("dupmirror_http_sent_bytes_total", { mirror: file.mirror }, sizeBytes);
  const signal = serving.stopped;
  if (sizeBytes > WHOLE_READ_MAX_BYTES) {
    return await sendPieces(serving, reply, body);
  }
  const bytes = await readRange(file.path, start, sizeBytes, { signal });
  // A head that was replaced in between goes out under the ETag of neither version.
  if (file.isHead && etagOf(file) !== body.etag) reply.removeHeader("etag");
  return reply.send(bytes);
}

/** Not by fastify, which does not tell when a piece is sent, and its memory free. */
async function sendPieces(
  { pieces, runtime, stopped }: Serving,
  reply: FastifyReply,
  { file, start, sizeBytes }: Body,
): Promise<FastifyReply> {
  reply.hijack();
  const response = reply.raw;
  response.statusCode = reply.statusCode;
  for (const [name, value = ""] of Object.entries(reply.getHeaders())) {
    response.setHeader(name, value);
  }
  try {
    await sendFile(response, { file: file.path, start, sizeBytes, pieces, signal: stopped });
  } catch (error) {
    if (!response.destroyed) {
      runtime.log.error("http.failed", { url: reply.request.url, message: String(error) });
    }
    response.destroy();
  }
  return reply;
}

/** RFC 7240: `Prefer: wait=N` with an If-None-Match that still holds waits for the next head. */
async function waitForChange(
  serving: Serving,
  file: Located,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const seconds = Number(/(?:^|[,;\s])wait=(\d{1,6})/.exec(String(request.headers.prefer))?.[1]);
  const etag = etagOf(file);
  if (!(seconds > 0) || etag === undefined) return;
  if (!matches(request.headers["if-none-match"], etag)) return;
  const wait = Math.min(seconds, WAIT_MAX_SECONDS);
  reply.header("preference-applied", `wait=${wait}`);
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, serving.stopped]);
  await serving.watch.wait(file, etag, { timeoutMs: wait * 1000, signal });
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((one) => one.trim() === "*" || one.trim() === etag);
}

function etagOf(file: Located): string | undefined {
  const identity = servedFile(file.folder, file.path);
  return identity === undefined ? undefined : formatEtag(identity);
}

function formatEtag(identity: FileIdentity): string {
  const parts = [BigInt(identity.sizeBytes), identity.mtimeNs, identity.inode];
  return `"${parts.map((part) => part.toString(36)).join("-")}"`;
}

function statusOf(error: unknown): number {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return 500;
  return typeof error.statusCode === "number" ? error.statusCode : 500;
}

async function refuse(reply: FastifyReply, status: number, message: string): Promise<FastifyReply> {
  return reply.code(status).type("text/plain; charset=utf-8").send(`${message}\n`);
}
