/** What a broken, badly set up or hostile HTTP server may do to a reader. */
import { gzipSync } from "node:zlib";
import type { ErrorCode } from "../../src/errors.js";
import { type Answer, type Misbehaviour, properAnswer } from "./faulty-server.js";

export interface HttpFault {
  readonly name: string;
  /** What a reader that waits for its limits makes of it. */
  readonly code: ErrorCode;
  /** What a server of `files` does; where it is none, no connection to the server is ever made. */
  readonly misbehave?: (files: ReadonlyMap<string, Uint8Array>) => Misbehaviour;
}

export const HTTP_FAULTS: readonly HttpFault[] = [
  { name: "lets nobody connect", code: "SOURCE_TIMEOUT" },
  { name: "never answers", code: "SOURCE_TIMEOUT", misbehave: () => () => undefined },
  {
    name: "stalls in mid-body",
    code: "SOURCE_TIMEOUT",
    misbehave: changed(({ status, headers, body }, response) => {
      response.writeHead(status, headers).write(body.subarray(0, body.length / 2));
    }),
  },
  {
    name: "sends a byte a second",
    code: "SOURCE_TIMEOUT",
    misbehave: changed(({ status, headers, body }, response) => {
      response.writeHead(status, headers);
      let sent = 0;
      const timer = setInterval(() => response.write(body.subarray(sent, ++sent)), 1000);
      response.on("close", () => clearInterval(timer));
    }),
  },
  {
    name: "resets connections",
    code: "SOURCE_UNREACHABLE",
    misbehave: () => (request) => void request.socket.resetAndDestroy(),
  },
  {
    name: "resets connections in mid-body",
    code: "SOURCE_UNREACHABLE",
    misbehave: changed(({ status, headers, body }, response) => {
      response.writeHead(status, headers).write(body.subarray(0, body.length / 2), () => {
        response.socket?.resetAndDestroy();
      });
    }),
  },
  {
    name: "has an error of its own",
    code: "SOURCE_UNREACHABLE",
    misbehave: () => (_, response) => void response.writeHead(500).end("sorry"),
  },
  {
    name: "lost everything",
    code: "SOURCE_MISSING",
    misbehave: () => (_, response) => void response.writeHead(404).end(),
  },
  {
    name: "gives less than was asked for",
    code: "SOURCE_SHORT",
    misbehave: changed(({ status, headers, body }, response) => {
      const [from = 0] = rangeIn(headers);
      const range = `bytes ${from}-${from + body.length - 9}/${from + body.length - 8}`;
      const fewer = { "content-length": body.length - 8, "content-range": range };
      response.writeHead(status, { ...headers, ...fewer }).end(body.subarray(8));
    }),
  },
  {
    name: "gives more than was asked for",
    code: "SOURCE_INVALID",
    misbehave: changed(({ status, headers, body }, response) => {
      const more = Buffer.concat([body, Buffer.alloc(8)]);
      response.writeHead(status, { ...headers, "content-length": more.length }).end(more);
    }),
  },
  {
    name: "gives other bytes",
    code: "BLOCK_CORRUPT",
    misbehave: changed(({ status, headers, body }, response) => {
      response.writeHead(status, headers).end(body.map((byte) => byte ^ 0x55));
    }),
  },
  {
    name: "gives bytes of another place",
    code: "BLOCK_CORRUPT",
    misbehave: changed(({ status, headers, body }, response) => {
      response
        .writeHead(status, headers)
        .end(Buffer.concat([body.subarray(8), body]).subarray(0, body.length));
    }),
  },
  {
    name: "compresses",
    code: "SOURCE_INVALID",
    misbehave: changed(({ status, headers, body }, response) => {
      const zipped = gzipSync(body);
      const coding = { "content-encoding": "gzip", "content-length": zipped.length };
      response.writeHead(status, { ...headers, ...coding }).end(zipped);
    }),
  },
  {
    name: "never ends",
    code: "SOURCE_INVALID",
    misbehave: changed(({ status, headers }, response) => {
      const { "content-range": range = "" } = headers;
      response.writeHead(status, { "content-range": `${range}` });
      const more = (): void => {
        while (!response.destroyed && response.write(new Uint8Array(65_536)));
      };
      response.on("drain", more);
      more();
    }),
  },
];

type Response = Parameters<Misbehaviour>[1];

/** Instead of the proper answer, what `send` makes of it. */
function changed(
  send: (proper: Answer, response: Response) => void,
): (files: ReadonlyMap<string, Uint8Array>) => Misbehaviour {
  return (files) => (request, response) => send(properAnswer(files, request), response);
}

function rangeIn(headers: Answer["headers"]): number[] {
  const [from, to] = /(\d+)-(\d+)/.exec(String(headers["content-range"]))?.slice(1) ?? [];
  return [Number(from), Number(to)];
}
