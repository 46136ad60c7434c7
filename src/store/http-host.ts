/** A web server that takes files by PUT; where it speaks WebDAV, under another name first and then by MOVE. */
import { MirrorError } from "../errors.js";
import { HTTP_SEND_CHUNK_BYTES } from "../limits.js";
import type { Runtime } from "../runtime.js";
import type { Access } from "./access.js";
import {
  HOST_PIECE_BYTES,
  type Host,
  type HostContent,
  type HostLimits,
  type HostOptions,
} from "./host.js";
import type { HttpAnswer, HttpClient, HttpRequest } from "./http-client.js";
import { HttpSource } from "./http-source.js";
import type { ByteRange } from "./source.js";
import { locateFile, webAddress } from "./web-address.js";

export interface HttpHostOptions {
  readonly name: string;
  /** The folder that is to hold the head, with or without a slash at its end. */
  readonly url: string;
  readonly access: Access;
  readonly limits: HostLimits;
  readonly runtime: Runtime;
}

export class HttpHost implements Host {
  readonly name: string;
  readonly #base: URL;
  readonly #options: HttpHostOptions;
  readonly #source: HttpSource;
  #client: HttpClient | undefined;
  /** Until the server refuses it: not every one moves files. */
  #canMove = true;
  /** Once the server missed a folder, those that are new are made before anything is put into them. */
  #needsFolders = false;
  readonly #foldersMade = new Set<string>();

  constructor(options: HttpHostOptions) {
    this.name = options.name;
    this.#options = options;
    this.#source = new HttpSource(options);
    this.#base = webAddress(options.url).base;
  }

  async make(options: HostOptions): Promise<void> {
    await this.#makeFolder(this.#base, options);
  }

  /** A folder that is not there is one that is empty, as far as can be seen from here. */
  isMade(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async size(path: string, { signal }: HostOptions): Promise<number | undefined> {
    return this.#ask({ method: "HEAD", url: this.#locate(path), headers: {}, signal }, sizeOf);
  }

  async put(path: string, content: HostContent, options: HostOptions): Promise<void> {
    if (this.#canMove) {
      const beside = besideOf(path);
      await this.#send(beside, content, options);
      if (await this.#move(beside, path, options)) return;
      this.#canMove = false;
      await this.remove(beside, options);
    }
    await this.#send(path, content, options);
  }

  replace(path: string, bytes: Uint8Array, options: HostOptions): Promise<void> {
    const read = ({ offset, sizeBytes }: ByteRange): Promise<Uint8Array> =>
      Promise.resolve(bytes.subarray(offset, offset + sizeBytes));
    return this.put(path, { sizeBytes: bytes.length, heldBytes: 0, read }, options);
  }

  read(path: string, range: ByteRange, options: HostOptions): Promise<Uint8Array> {
    return this.#source.read(path, range, options);
  }

  async remove(path: string, { signal }: HostOptions): Promise<void> {
    const request = { method: "DELETE", url: this.#locate(path), headers: {}, signal } as const;
    await this.#ask(request, (answer) => {
      if (!isMissing(answer.status)) checkDone(answer);
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#source.close(), this.#client?.close()]);
  }

  /** Puts the file under just this name. */
  async #send(path: string, content: HostContent, options: HostOptions): Promise<void> {
    const url = this.#locate(path);
    const folder = new URL(".", url);
    if (this.#needsFolders) await this.#makeFolder(folder, options);
    const isTried = this.#foldersMade.has(folder.pathname);
    const isPut = await this.#putOnce(url, content, options, !isTried);
    if (isPut) return;
    this.#needsFolders = true;
    await this.#makeFolder(folder, options);
    await this.#putOnce(url, content, options, false);
  }

  /** @returns whether there was a folder for it, where that `mayMiss`; nginx says 500 then */
  async #putOnce(
    url: URL,
    content: HostContent,
    { signal }: HostOptions,
    mayMiss: boolean,
  ): Promise<boolean> {
    const headers = { "content-type": "application/octet-stream" };
    const body = { sizeBytes: content.sizeBytes, chunks: chunksOf(content) };
    const waitMs = this.#options.limits.storeMs;
    return this.#ask({ method: "PUT", url, headers, body, waitMs, signal }, (answer) => {
      if (mayMiss && (isMissing(answer.status) || answer.status === 500)) return false;
      checkDone(answer, content.sizeBytes);
      return true;
    });
  }

  /** @returns whether the server moves files at all */
  async #move(from: string, to: string, { signal }: HostOptions): Promise<boolean> {
    const headers = { destination: this.#locate(to).href, overwrite: "T" };
    const waitMs = this.#options.limits.storeMs;
    const request = { method: "MOVE", url: this.#locate(from), headers, waitMs, signal } as const;
    return this.#ask(request, (answer) => {
      if (MOVE_REFUSED.includes(answer.status)) return false;
      checkDone(answer);
      return true;
    });
  }

  /** Those above it are made as needed. What is in the way shows by the PUT that follows. */
  async #makeFolder(url: URL, options: HostOptions): Promise<void> {
    if (this.#foldersMade.has(url.pathname)) return;
    if (isMissing(await this.#makeOne(url, options)) && url.pathname !== "/") {
      await this.#makeFolder(new URL("..", url), options);
      await this.#makeOne(url, options);
    }
    this.#foldersMade.add(url.pathname);
  }

  /** @returns the status: 201 made, 405 is there or is not to be made this way */
  async #makeOne(url: URL, { signal }: HostOptions): Promise<number> {
    return this.#ask({ method: "MKCOL", url, headers: {}, signal }, (answer) => {
      if (answer.status === 401 || isPassing(answer.status)) checkDone(answer);
      return answer.status;
    });
  }

  async #ask<T>(request: HttpRequest, use: (answer: HttpAnswer) => T): Promise<T> {
    if (this.#client === undefined) {
      const { HttpClient } = await import("./http-client.js");
      const { access, limits, runtime } = this.#options;
      this.#client ??= new HttpClient({ url: this.#base, access, limits, runtime });
    }
    return this.#client.ask(request, (answer) => Promise.resolve(answer).then(use));
  }

  #locate(path: string): URL {
    return locateFile(this.#base, path);
  }
}

/** A proxy that does not know its own name says 502. */
const MOVE_REFUSED: readonly number[] = [403, 405, 501, 502];

/** Beside the file, so that it is on the same disk; what a push that was killed left there is written over. */
function besideOf(path: string): string {
  const at = path.lastIndexOf("/") + 1;
  return `${path.slice(0, at)}.${path.slice(at)}.new`;
}

async function* chunksOf(content: HostContent): AsyncGenerator<Uint8Array> {
  const { sizeBytes } = content;
  for (let offset = 0; offset < sizeBytes; offset += HOST_PIECE_BYTES) {
    const size = Math.min(HOST_PIECE_BYTES, sizeBytes - offset);
    const piece = await content.read({ offset, sizeBytes: size });
    for (let at = 0; at < size; at += HTTP_SEND_CHUNK_BYTES) {
      yield piece.subarray(at, at + HTTP_SEND_CHUNK_BYTES);
    }
  }
}

function sizeOf(answer: HttpAnswer): number | undefined {
  const { status, what } = answer;
  if (status === 404 || status === 410) return undefined;
  checkDone(answer);
  const text = answer.header("content-length") ?? "";
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new MirrorError("SOURCE_INVALID", `${what} does not say how large it is`);
}

/** 409: there is no folder for it. */
function isMissing(status: number): boolean {
  return status === 404 || status === 409 || status === 410;
}

function isPassing(status: number): boolean {
  return [408, 425, 429].includes(status) || (status >= 500 && ![501, 505, 507].includes(status));
}

function checkDone({ status, what, retryAfterMs }: HttpAnswer, sizeBytes = 0): void {
  if (status >= 200 && status < 300) return;
  const message = `${what} answers with status ${status}`;
  if (isPassing(status)) throw new MirrorError("SOURCE_UNREACHABLE", message, { retryAfterMs });
  if (status === 507) throw new MirrorError("DISK_SPACE", `${message}: the host's disk is full`);
  const hint = HINTS.get(status)?.replace("SIZE", `${sizeBytes}`);
  throw new MirrorError("SOURCE_INVALID", hint === undefined ? message : `${message}: ${hint}`);
}

const HINTS: ReadonlyMap<number, string> = new Map([
  [401, "are its credentials right (auth, tls)?"],
  [403, "may we write there?"],
  [404, "there is no folder for it, and none is made by MKCOL"],
  [405, "does it take files by PUT?"],
  [409, "there is no folder for it, and none is made by MKCOL"],
  [413, "it takes no file of SIZE bytes: raise its limit for what is uploaded"],
]);
