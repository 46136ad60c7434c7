/** A static HTTP server with ranges, several at once too, that can be slow, silent or wrong. Nothing of it is ours to ship. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Serves `folder`; `fault` is `undefined`, `silent`, `slow` or `corrupt`. */
export async function startFileServer(folder, fault) {
  const server = createServer((request, response) => {
    answer(folder, request, response, fault).catch(() => response.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const SLOW_BYTES_PER_SECOND = 1e6;
const PIECE_BYTES = 16 * 1024;
const BOUNDARY = "a-part-of-the-file";

async function answer(folder, request, response, fault) {
  if (fault === "silent") return;
  const file = path.join(folder, path.normalize(decodeURIComponent(request.url)));
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) return void response.writeHead(404).end();
  const ranges = rangesOf(request.headers.range, stat.size);
  const [status, headers, body] = bodyOf(file, stat.size, ranges);
  const etag = `"${stat.size}-${stat.mtimeMs}"`;
  if (request.headers["if-none-match"] === etag)
    return void response.writeHead(304, { etag }).end();
  if (fault === "corrupt" && body.length > 0 && request.url.includes("/shares/"))
    body[body.length >> 1] ^= 1;
  response.writeHead(status, { etag, "content-length": body.length, ...headers });
  if (fault !== "slow") return void response.end(body);
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    response.write(body.subarray(at, at + PIECE_BYTES));
    await sleep((PIECE_BYTES / SLOW_BYTES_PER_SECOND) * 1000);
  }
  response.end();
}

function bodyOf(file, size, ranges) {
  if (ranges === undefined) return [200, {}, readRange(file, { start: 0, end: size - 1 })];
  const named = ranges.map((range) => ({
    range,
    words: `bytes ${range.start}-${range.end}/${size}`,
  }));
  if (named.length === 1)
    return [206, { "content-range": named[0].words }, readRange(file, ranges[0])];
  const parts = named.flatMap(({ range, words }) => [
    Buffer.from(`\r\n--${BOUNDARY}\r\nContent-Range: ${words}\r\n\r\n`),
    readRange(file, range),
  ]);
  const body = Buffer.concat([...parts, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
  return [206, { "content-type": `multipart/byteranges; boundary=${BOUNDARY}` }, body];
}

function rangesOf(header, size) {
  const list = /^bytes=(\d+-\d+(?:,\d+-\d+)*)$/.exec(header ?? "")?.[1];
  return list?.split(",").map((text) => {
    const [start, end] = text.split("-").map(Number);
    return { start, end: Math.min(end, size - 1) };
  });
}

function readRange(file, { start, end }) {
  const bytes = Buffer.allocUnsafe(end - start + 1);
  const descriptor = openSync(file, "r");
  readSync(descriptor, bytes, 0, bytes.length, start);
  closeSync(descriptor);
  return bytes;
}
