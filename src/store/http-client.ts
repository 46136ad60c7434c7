/** One request after the other over kept connections, with every wait bounded; what the answers mean is not decided here. */
import { AssertionError } from "node:assert";
import { Readable } from "node:stream";
import { type Dispatcher, request } from "undici";
import { unlessAborted } from "../disk/unless-aborted.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { HTTP_REDIRECTS_MAX } from "../limits.js";
import type { Runtime } from "../runtime.js";
import type { Access } from "./access.js";
import { Connections } from "./connections.js";
import { RequestGuard } from "./request-guard.js";
import { parseRetryAfter } from "./retry-after.js";
import type { SourceLimits, Traffic } from "./source.js";
import { whenSent } from "./when-sent.js";

export interface HttpRequest {
  /** GET when not given; only that and HEAD follow redirects. */
  readonly method?: "GET" | "HEAD" | "PUT" | "DELETE" | "MKCOL" | "MOVE";
  readonly body?: HttpBody;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** How much longer than usual the answer may take to begin. */
  readonly waitMs?: number;
  /** What to ask for instead when the connection broke: the rest. `undefined`: that is the end of it. */
  readonly goOn?: () => HttpRequest["headers"] | undefined;
  readonly signal: AbortSignal;
}

/** What a request carries. */
export interface HttpBody {
  readonly sizeBytes: number;
  /** Small enough that each of them moves within a source's idle time. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** An answer that is not a redirect. */
export interface HttpAnswer {
  /** What was asked for, for messages; where redirects led may be a secret. */
  readonly what: string;
  readonly status: number;
  /** How long the server wants to be left alone, if it says so. */
  readonly retryAfterMs: number | undefined;
  /** A header that was given exactly once. */
  header(name: string): string | undefined;
  /** The body; whoever stops early gives up the connection. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface HttpClientOptions {
  /** Any URL of the server; credentials go to its origin alone. */
  readonly url: URL;
  readonly access: Access;
  /** A Unix socket, instead of where `url` leads. */
  readonly socketPath?: string;
  /** Whether HTTP/2 is spoken where the server offers it. */
  readonly http2?: boolean;
  readonly limits: SourceLimits;
  readonly runtime: Runtime;
}

export class HttpClient {
  readonly #limits: SourceLimits;
  readonly #runtime: Runtime;
  readonly #socketPath: string | undefined;
  readonly #isHttp2: boolean;
  readonly #guards = new Set<RequestGuard>();
  readonly #connections: Connections;
  #bytes = 0;
  #requests = 0;

  /** Reads the files of `access`. @throws MirrorError CONFIG_INVALID */
  constructor(options: HttpClientOptions) {
    this.#limits = options.limits;
    this.#runtime = options.runtime;
    this.#socketPath = options.socketPath;
    this.#isHttp2 = options.http2 === true;
    this.#connections = new Connections({ ...options, connectMs: options.limits.connectMs });
  }

  get traffic(): Traffic {
    return { bytes: this.#bytes, requests: this.#requests };
  }

  /** What `use` makes of the answer. @throws MirrorError SOURCE_UNREACHABLE, SOURCE_TIMEOUT, SOURCE_INVALID */
  async ask<T>(wanted: HttpRequest, use: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    wanted.signal.throwIfAborted();
    const what = this.#name(wanted.url);
    const guard = new RequestGuard({ ...wanted, limits: this.#limits, what });
    this.#guards.add(guard);
    try {
      return await this.#ask(wanted, guard, use);
    } finally {
      guard.end();
      this.#guards.delete(guard);
    }
  }

  async close(): Promise<void> {
    // Of requests that HTTP/2 has under way, undici would tell nobody.
    for (const guard of this.#guards) guard.giveUp();
    await this.#connections.close();
  }

  /**
   * As often as `wanted` goes on, all within the limits of one request; over HTTP/2 once more, as a server that
   * ends a connection in good order takes the requests on it along, the way undici does it.
   */
  async #ask<T>(
    wanted: HttpRequest,
    guard: RequestGuard,
    use: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    const what = this.#name(wanted.url);
    let isOnceMore = this.#isHttp2 && wanted.body === undefined;
    for (let { headers } = wanted; ; ) {
      try {
        return await this.#follow({ ...wanted, headers }, guard, use);
      } catch (error) {
        wanted.signal.throwIfAborted();
        const failure = sourceFailure(error, what);
        if (!isMirrorError(failure, "SOURCE_UNREACHABLE")) throw failure;
        const rest = wanted.goOn?.();
        if (rest === undefined && !(isOnceMore && isSocketError(error))) throw failure;
        isOnceMore = false;
        this.#runtime.log.debug("source.resumed", { what, reason: failure.message });
        headers = rest ?? headers;
      }
    }
  }

  async #follow<T>(
    wanted: HttpRequest,
    guard: RequestGuard,
    use: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    let url = wanted.url;
    const what = this.#name(url);
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send(url, wanted, guard);
      guard.answered();
      try {
        const next = redirectTarget(response, url, what);
        if (next !== undefined) checkMayFollow(wanted);
        if (next === undefined) return await use(this.#answer(what, response, guard));
        if (redirects === HTTP_REDIRECTS_MAX) refuse(what, "redirects without end");
        this.#runtime.log.debug("source.redirected", { from: what, to: next.host });
        url = next;
      } finally {
        await discard(response, guard.signal);
      }
    }
  }

  async #send(
    url: URL,
    { method = "GET", headers, body }: HttpRequest,
    guard: RequestGuard,
  ): Promise<Dispatcher.ResponseData> {
    guard.connecting();
    this.#requests++;
    this.#bytes += `${method} ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`.length;
    const dispatcher = whenSent(this.#connections.dispatcher(url), () => guard.connected());
    const allHeaders = { ...headers, ...this.#connections.headers(url) };
    this.#bytes += headersSize(allHeaders);
    const sent = { "accept-encoding": "identity", ...allHeaders };
    const { signal } = guard;
    const options = {
      ...{ dispatcher, method, headers: sent, signal },
      ...(body === undefined ? {} : this.#carry(body, sent, guard)),
      // Otherwise the connection would be given up after each HEAD.
      ...(method === "HEAD" ? { reset: false } : {}),
    };
    // Before there is a connection, undici heeds no signal.
    const response = await unlessAborted(signal, () => request(url, options));
    this.#bytes += "HTTP/1.1 200 OK\r\n\r\n".length + headersSize(response.headers);
    return response;
  }

  /** For messages: what stands behind a Unix socket has no URL of its own. */
  #name(url: URL): string {
    return this.#socketPath === undefined ? url.href : `unix:${this.#socketPath}:${url.pathname}`;
  }

  #answer(what: string, response: Dispatcher.ResponseData, guard: RequestGuard): HttpAnswer {
    return {
      what,
      status: response.statusCode,
      retryAfterMs: parseRetryAfter(onlyValue(response, "retry-after"), this.#runtime.clock.now()),
      header: (name) => onlyValue(response, name),
      chunks: promised(response, what, this.#measured(response.body, guard)),
    };
  }

  #carry(
    { sizeBytes, chunks }: HttpBody,
    headers: Readonly<Record<string, string>>,
    guard: RequestGuard,
  ): { readonly body: Readable; readonly headers: Readonly<Record<string, string>> } {
    const body = Readable.from(this.#sent(chunks, guard), { objectMode: false });
    return { body, headers: { ...headers, "content-length": `${sizeBytes}` } };
  }

  /** What is sent is watched like what comes: it must flow. */
  async *#sent(chunks: AsyncIterable<Uint8Array>, guard: RequestGuard): AsyncGenerator<Uint8Array> {
    guard.answered();
    yield* this.#measured(chunks, guard);
    guard.connected();
  }

  async *#measured(
    body: AsyncIterable<Uint8Array>,
    guard: RequestGuard,
  ): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      guard.received(chunk.length);
      this.#bytes += chunk.length;
      yield chunk;
    }
  }
}

/** A body that ends before it has as many bytes as were promised broke off; of HTTP/2, undici does not say so. */
async function* promised(
  response: Dispatcher.ResponseData,
  what: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let leftBytes = Number(onlyValue(response, "content-length") ?? 0);
  for await (const chunk of chunks) {
    leftBytes -= chunk.length;
    yield chunk;
  }
  if (leftBytes > 0) {
    throw new MirrorError("SOURCE_UNREACHABLE", `${what} breaks off ${leftBytes} bytes too early`);
  }
}

/** An error page worth reading for the sake of its connection. */
const DISCARD_MAX_BYTES = 16 * 1024;

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

function redirectTarget(
  response: Dispatcher.ResponseData,
  from: URL,
  what: string,
): URL | undefined {
  if (!REDIRECTS.includes(response.statusCode)) return undefined;
  const location = onlyValue(response, "location") ?? "";
  if (location === "" || !URL.canParse(location, from.href)) {
    refuse(what, "redirects to what is not a URL");
  }
  const target = new URL(location, from);
  const isKept = target.protocol === from.protocol || target.protocol === "https:";
  if (isKept && target.username === "" && target.password === "") return target;
  return refuse(what, `redirects from ${from.protocol} to ${target.protocol}//${target.host}`);
}

/** What was sent is not sent on to whom nobody named. */
function checkMayFollow({ method = "GET", url }: HttpRequest): void {
  if (method === "GET" || method === "HEAD") return;
  refuse(url.href, `redirects a ${method}: expected the address itself`);
}

function onlyValue(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === "string" ? value : undefined;
}

function headersSize(headers: Readonly<Record<string, string | string[] | undefined>>): number {
  let sizeBytes = 0;
  for (const [name, value = []] of Object.entries(headers)) {
    for (const one of typeof value === "string" ? [value] : value) {
      sizeBytes += name.length + ": ".length + one.length + "\r\n".length;
    }
  }
  return sizeBytes;
}

/** Reads the little that is left of an answer nobody wants, so that its connection serves again, or gives it up. */
async function discard(response: Dispatcher.ResponseData, signal: AbortSignal): Promise<void> {
  const { body } = response;
  if (body.destroyed || body.readableEnded) return;
  await body.dump({ limit: DISCARD_MAX_BYTES, signal });
}

function isSocketError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "UND_ERR_SOCKET";
}

/** What went wrong, in the words of `Source`; what is our own failure comes back as it is. */
function sourceFailure(error: unknown, what: string): unknown {
  if (isMirrorError(error) || error instanceof AssertionError || !(error instanceof Error)) {
    return error;
  }
  if (error.name === "HTTPParserError") {
    return new MirrorError("SOURCE_INVALID", `${what}: ${error.message}`, { cause: error });
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code === undefined || code === "UND_ERR_INVALID_ARG") return error;
  const message = `${what}: ${code}: ${error.message}`;
  if (code === "UND_ERR_CONNECT_TIMEOUT") {
    return new MirrorError("SOURCE_TIMEOUT", message, { cause: error });
  }
  const kind = INVALID_ANSWERS.includes(code) ? "SOURCE_INVALID" : "SOURCE_UNREACHABLE";
  return new MirrorError(kind, message, { cause: error });
}

const INVALID_ANSWERS: readonly string[] = [
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
];

function refuse(what: string, why: string): never {
  throw new MirrorError("SOURCE_INVALID", `${what} ${why}`);
}
