/** A real HTTP server that takes files by PUT and nothing else, and misbehaves as it is told. */
import type { IncomingMessage } from "node:http";
import {
  type FaultyServer,
  type Misbehaviour,
  serveFrom,
  startFaultyServer,
} from "./faulty-server.js";

export interface PutServer extends Pick<FaultyServer, "url" | "files"> {
  /** `METHOD path` of all but GET. */
  readonly changes: string[];
  /** From now on a request is served only where `fault` does not answer it, or means not to. */
  readonly fail: (fault: Fault) => void;
  /** From now on this is what is kept of what is put. */
  readonly keepAs: (change: (bytes: Uint8Array) => Uint8Array) => void;
}

/** `true` when the request is answered, or will never be. */
export type Fault = (...request: Parameters<Misbehaviour>) => boolean;

/** Closed, with all its connections, when the test ends. */
export async function startPutServer(): Promise<PutServer> {
  const server = await startFaultyServer();
  const { url: base, files } = server;
  const changes: string[] = [];
  let fault: Fault = () => false;
  let kept = (bytes: Uint8Array): Uint8Array => bytes;
  const serve = serveFrom(files);
  const take = async (...[request, response]: Parameters<Misbehaviour>): Promise<void> => {
    const { method = "", url = "" } = request;
    const path = url.replace(/^\/pub\//, "");
    if (method !== "GET") changes.push(`${method} ${path}`);
    if (fault(request, response)) return;
    const bytes = files.get(path);
    switch (method) {
      case "GET":
        serve(request, response);
        return;
      case "HEAD":
        if (bytes === undefined) response.writeHead(404);
        else response.writeHead(200, { "content-length": bytes.length });
        break;
      case "PUT":
        files.set(path, kept(await bodyOf(request)));
        response.writeHead(201);
        break;
      case "DELETE":
        response.writeHead(files.delete(path) ? 204 : 404);
        break;
      default:
        response.writeHead(405);
    }
    response.end();
  };
  server.misbehave((request, response) => {
    take(request, response).catch(() => response.destroy());
  });
  return {
    url: base,
    files,
    changes,
    fail: (next) => {
      fault = next;
    },
    keepAs: (change) => {
      kept = change;
    },
  };
}

/** Answers every request, once it was read, with `status`. */
export function always(status: number): Fault {
  return (request, response) => {
    request.resume().on("end", () => response.writeHead(status).end());
    return true;
  };
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}
