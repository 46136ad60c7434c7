/** A real HTTP server that takes files by PUT and nothing else, and misbehaves as it is told. */
import type { IncomingMessage } from "node:http";
import {
  type FaultyServer,
  type Misbehaviour,
  serveFrom,
  startFaultyServer,
} from "./faulty-server.js";

export interface PutServer extends FaultyServer {
  /** `METHOD path` of all that changes something, and of HEAD. */
  readonly changes: string[];
}

/** Called before a request is served; `true` when it answered, or will not. */
export type Fault = (...request: Parameters<Misbehaviour>) => boolean;

/** Closed, with all its connections, when the test ends. */
export async function startPutServer(fault: Fault = () => false): Promise<PutServer> {
  const server = await startFaultyServer();
  const changes: string[] = [];
  const serve = serveFrom(server.files);
  const take = async (...[request, response]: Parameters<Misbehaviour>): Promise<void> => {
    const { method = "", url = "" } = request;
    if (method !== "GET") changes.push(`${method} ${url.replace(/^\/pub\//, "")}`);
    if (fault(request, response)) return;
    const path = url.replace(/^\/pub\//, "");
    const bytes = server.files.get(path);
    switch (method) {
      case "GET":
        serve(request, response);
        return;
      case "HEAD":
        if (bytes === undefined) response.writeHead(404);
        else response.writeHead(200, { "content-length": bytes.length });
        break;
      case "PUT":
        server.files.set(path, await bodyOf(request));
        response.writeHead(201);
        break;
      case "DELETE":
        response.writeHead(server.files.delete(path) ? 204 : 404);
        break;
      default:
        response.writeHead(405);
    }
    response.end();
  };
  server.misbehave((request, response) => {
    take(request, response).catch(() => response.destroy());
  });
  return { ...server, changes };
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}
