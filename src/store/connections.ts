import { Agent, type Dispatcher } from "undici";
import { HTTP_HEADERS_MAX_BYTES, SOURCE_REQUESTS_MAX } from "../limits.js";
import { type Access, type Credentials, readCredentials, type TlsOptions } from "./access.js";

export interface ConnectionsOptions {
  /** Any URL of the origin that the credentials are for. */
  readonly url: URL;
  readonly access: Access;
  /** Instead of where `url` leads. */
  readonly socketPath?: string;
  /** Whether HTTP/2 is spoken where the server offers it. */
  readonly http2?: boolean;
  readonly connectMs: number;
}

/**
 * Kept connections to one source or host, and wherever it redirects to. Its credentials, certificate and
 * header, are sent to its own origin alone.
 */
export class Connections {
  readonly #origin: string;
  readonly #credentials: Credentials;
  readonly #own: Agent;
  readonly #foreign: Agent;

  /** Reads the files of `access`. @throws MirrorError CONFIG_INVALID */
  constructor({ url, access, socketPath, http2 = false, connectMs }: ConnectionsOptions) {
    this.#origin = url.origin;
    this.#credentials = readCredentials(access);
    const { tls, foreignTls } = this.#credentials;
    const way = socketPath === undefined ? {} : { socketPath };
    this.#own = newAgent({ timeout: connectMs, ...way, ...tls }, http2);
    this.#foreign = newAgent({ timeout: connectMs, ...foreignTls }, http2);
  }

  /** What a request to `url` goes through. */
  dispatcher(url: URL): Dispatcher {
    return this.#isOwn(url) ? this.#own : this.#foreign;
  }

  /** The headers that say who we are; none for another origin. */
  headers(url: URL): Readonly<Record<string, string>> {
    const { authorization } = this.#credentials;
    return authorization === undefined || !this.#isOwn(url) ? {} : { authorization };
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    await Promise.all([this.#own.destroy(), this.#foreign.destroy()]);
  }

  #isOwn(url: URL): boolean {
    return url.origin === this.#origin;
  }
}

function newAgent(
  connect: TlsOptions & { readonly timeout: number; readonly socketPath?: string },
  http2: boolean,
): Agent {
  return new Agent({
    connect,
    allowH2: http2,
    // One more: a poll of the head may wait for long.
    connections: SOURCE_REQUESTS_MAX + 1,
    maxHeaderSize: HTTP_HEADERS_MAX_BYTES,
    // The guard of each request does this, and minds slow bodies too.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
