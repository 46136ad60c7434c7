/** A web server, object store or CDN: static files by GET with single ranges. */
import { quoted } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES, HTTP_SKIP_MAX_BYTES } from "../limits.js";
import type { Log } from "../runtime.js";
import type { Access } from "./access.js";
import type { HttpAnswer, HttpClient } from "./http-client.js";
import type {
  ByteRange,
  HeadAnswer,
  HeadOptions,
  ReadOptions,
  ReadWatch,
  Source,
  SourceLimits,
  Traffic,
} from "./source.js";

export class HttpSource implements Source {
  readonly name: string;
  readonly url: string;
  readonly #base: URL;
  readonly #access: Access;
  readonly #limits: SourceLimits;
  readonly #log: Log;
  #client: HttpClient | undefined;
  #isClosed = false;

  /** `url` names the folder that holds the head, with or without a slash at its end. */
  constructor(options: {
    readonly name: string;
    readonly url: string;
    readonly access: Access;
    readonly limits: SourceLimits;
    readonly log: Log;
  }) {
    this.name = options.name;
    this.url = options.url;
    this.#access = options.access;
    this.#limits = options.limits;
    this.#log = options.log;
    this.#base = new URL(options.url);
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
  }

  get traffic(): Traffic {
    return this.#client?.traffic ?? { bytes: 0, requests: 0 };
  }

  async readHead({ etag, waitMs, signal }: HeadOptions): Promise<HeadAnswer | undefined> {
    const headers: Record<string, string> = {};
    if (etag !== undefined) headers["if-none-match"] = etag;
    if (waitMs !== undefined) headers["prefer"] = `wait=${Math.ceil(waitMs / 1000)}`;
    const client = await this.#open();
    const wanted = { url: this.#locate("head"), headers, signal };
    return client.ask(waitMs === undefined ? wanted : { ...wanted, waitMs }, headOf);
  }

  async read(path: string, range: ByteRange, options: ReadOptions): Promise<Uint8Array> {
    if (range.sizeBytes === 0) return new Uint8Array();
    const { offset, sizeBytes } = range;
    const headers = { range: `bytes=${offset}-${offset + sizeBytes - 1}` };
    const { signal, watch } = options;
    const client = await this.#open();
    watch?.asked();
    return client.ask({ url: this.#locate(path), headers, signal }, (answer) =>
      rangeOf(answer, range, watch),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client?.close();
  }

  /** undici takes longer to load than a sync from a folder takes, which never needs it. */
  async #open(): Promise<HttpClient> {
    if (this.#client === undefined) {
      const { HttpClient } = await import("./http-client.js");
      this.#client ??= new HttpClient({
        url: this.#base,
        access: this.#access,
        limits: this.#limits,
        log: this.#log,
      });
      if (this.#isClosed) await this.#client.close();
    }
    return this.#client;
  }

  #locate(path: string): URL {
    return new URL(path.split("/").map(encodeURIComponent).join("/"), this.#base);
  }
}

async function headOf(answer: HttpAnswer): Promise<HeadAnswer | undefined> {
  if (answer.status === 304) return undefined;
  if (answer.status !== 200) refuseStatus(answer);
  checkEncoding(answer);
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer.chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > HEAD_MAX_BYTES) refuse(answer, `is larger than ${HEAD_MAX_BYTES} bytes`);
    parts.push(chunk);
  }
  const etag = answer.header("etag");
  const bytes = Buffer.concat(parts);
  return etag === undefined ? { bytes } : { bytes, etag };
}

async function rangeOf(
  answer: HttpAnswer,
  range: ByteRange,
  watch: ReadWatch | undefined,
): Promise<Uint8Array> {
  const { offset, sizeBytes } = range;
  switch (answer.status) {
    case 206:
      checkEncoding(answer);
      checkContentRange(answer, range);
      return collect(answer, { skipBytes: 0, sizeBytes, isWhole: false, watch });
    case 200:
      checkEncoding(answer);
      if (offset > HTTP_SKIP_MAX_BYTES) {
        refuse(answer, `ignores ranges: expected status 206 for offset ${offset}, got 200`);
      }
      return collect(answer, { skipBytes: offset, sizeBytes, isWhole: true, watch });
    case 416:
      return tooShort(answer, range);
    default:
      return refuseStatus(answer);
  }
}

function checkContentRange(answer: HttpAnswer, range: ByteRange): void {
  const text = answer.header("content-range") ?? "";
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:\d{1,15}|\*)$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  const wantedLast = range.offset + range.sizeBytes - 1;
  if (first === range.offset && last === wantedLast) return;
  if (first === range.offset && last < wantedLast) tooShort(answer, range);
  const got = quoted(text.slice(0, 80));
  refuse(answer, `answers with Content-Range ${got}, expected ${range.offset}-${wantedLast}`);
}

/** The bytes wanted; of a whole file, what is around them is left alone. */
async function collect(
  answer: HttpAnswer,
  wanted: {
    readonly skipBytes: number;
    readonly sizeBytes: number;
    readonly isWhole: boolean;
    readonly watch: ReadWatch | undefined;
  },
): Promise<Uint8Array> {
  const { skipBytes, sizeBytes, isWhole, watch } = wanted;
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let at = -skipBytes;
  for await (const chunk of answer.chunks) {
    watch?.received(chunk.length);
    const part = chunk.subarray(Math.max(0, -at));
    const room = sizeBytes - Math.max(0, at);
    bytes.set(part.length > room ? part.subarray(0, room) : part, Math.max(0, at));
    at += chunk.length;
    if (at <= sizeBytes) continue;
    if (isWhole) return bytes;
    refuse(answer, `sends more than the ${sizeBytes} bytes asked for`);
  }
  if (at >= sizeBytes) return bytes;
  return tooShort(answer, { offset: skipBytes, sizeBytes });
}

function checkEncoding(answer: HttpAnswer): void {
  const encoding = answer.header("content-encoding") ?? "identity";
  if (encoding !== "identity") refuse(answer, `sends content encoded as ${encoding}`);
}

function tooShort(answer: HttpAnswer, { offset, sizeBytes }: ByteRange): never {
  const message = `${answer.what} ends before byte ${offset + sizeBytes}`;
  throw new MirrorError("SOURCE_SHORT", message);
}

/** Object stores say 403 for a missing file to those who may not list. */
function refuseStatus(answer: HttpAnswer): never {
  const { status, what } = answer;
  const hint = status === 401 ? ": are its credentials right (auth, tls)?" : "";
  const message = `${what} answers with status ${status}${hint}`;
  if ([403, 404, 410].includes(status)) throw new MirrorError("SOURCE_MISSING", message);
  const isPassing = status >= 500 || [408, 425, 429].includes(status);
  throw new MirrorError(isPassing ? "SOURCE_UNREACHABLE" : "SOURCE_INVALID", message);
}

function refuse(answer: HttpAnswer, why: string): never {
  throw new MirrorError("SOURCE_INVALID", `${answer.what} ${why}`);
}
