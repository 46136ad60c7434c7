/** A web server, object store or CDN: static files by GET with single ranges. */
import { HEAD_MAX_BYTES } from "../limits.js";
import type { Runtime } from "../runtime.js";
import type { Access } from "./access.js";
import type { HttpAnswer, HttpClient } from "./http-client.js";
import { RangeRead } from "./range-read.js";
import { checkEncoding, refuseAnswer, refuseStatus } from "./refuse-answer.js";
import type {
  ByteRange,
  HeadAnswer,
  HeadOptions,
  ReadOptions,
  Source,
  SourceLimits,
  Traffic,
} from "./source.js";
import { locateFile, type WebAddress, webAddress } from "./web-address.js";

export interface HttpSourceOptions {
  readonly name: string;
  /** The folder that holds the head, with or without a slash at its end. */
  readonly url: string;
  readonly access: Access;
  /** Whether HTTP/2 is spoken where the server offers it. */
  readonly http2?: boolean;
  readonly limits: SourceLimits;
  readonly runtime: Runtime;
}

export class HttpSource implements Source {
  readonly name: string;
  readonly url: string;
  readonly #address: WebAddress;
  readonly #options: HttpSourceOptions;
  #client: HttpClient | undefined;
  #isClosed = false;

  constructor(options: HttpSourceOptions) {
    this.name = options.name;
    this.url = options.url;
    this.#options = options;
    this.#address = webAddress(options.url);
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
    const { signal, watch } = options;
    const client = await this.#open();
    watch?.asked();
    const read = new RangeRead(range, watch);
    const wanted = { url: this.#locate(path), headers: read.headers(), signal };
    return client.ask({ ...wanted, goOn: () => read.goOn() }, (answer) => read.take(answer));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client?.close();
  }

  /** undici takes longer to load than a sync from a folder takes, which never needs it. */
  async #open(): Promise<HttpClient> {
    if (this.#client === undefined) {
      const { HttpClient } = await import("./http-client.js");
      const { base, ...way } = this.#address;
      this.#client ??= new HttpClient({ ...this.#options, ...way, url: base });
      if (this.#isClosed) await this.#client.close();
    }
    return this.#client;
  }

  #locate(path: string): URL {
    return locateFile(this.#address.base, path);
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
    if (sizeBytes > HEAD_MAX_BYTES) refuseAnswer(answer, `is larger than ${HEAD_MAX_BYTES} bytes`);
    parts.push(chunk);
  }
  const etag = answer.header("etag");
  const bytes = Buffer.concat(parts);
  return etag === undefined ? { bytes } : { bytes, etag };
}
