/**
 * How commands talk to a running daemon: a Unix socket in its state directory. One line of JSON asks,
 * one line of JSON answers. Whoever may write in the directory may ask.
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { parseJson } from "../bytes/json.js";
import { removeFile } from "../disk/durable.js";
import { isMirrorError, MirrorError } from "../errors.js";

export type ControlRequest = "trigger" | "status" | "stop";

/** Each answers with a value that JSON can hold. */
export type ControlHandlers = Readonly<Record<ControlRequest, () => Promise<unknown>>>;

const LINE_MAX_CHARACTERS = 1024 * 1024;

/** sockaddr_un holds 108 bytes with the NUL. */
const SOCKET_PATH_MAX_BYTES = 107;

/** Listens until `signal` aborts. Call it with the state directory locked: a socket found there is nobody's. */
export async function openControlSocket(options: {
  readonly directory: string;
  readonly handlers: ControlHandlers;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { directory, handlers, signal } = options;
  const place = socketPath(directory);
  removeFile(path.join(directory, SOCKET_NAME));
  const server = createServer((socket) => void serve(socket, handlers));
  await listen(server, place);
  const close = (): void => void server.close();
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
}

export type ControlAnswer =
  | { readonly kind: "absent" }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** What the daemon answers; `absent` when none runs. @throws MirrorError PROGRAM_FAILED when it does not answer */
export async function askControl(options: {
  readonly directory: string;
  readonly request: ControlRequest;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<ControlAnswer> {
  const limit = AbortSignal.timeout(options.timeoutMs);
  const socket = await open(socketPath(options.directory));
  if (socket === undefined) return { kind: "absent" };
  const stop = (): void => void socket.destroy();
  const signal = AbortSignal.any([options.signal, limit]);
  signal.addEventListener("abort", stop, { once: true });
  try {
    socket.write(`${JSON.stringify({ request: options.request })}\n`);
    const line = await readLine(socket);
    options.signal.throwIfAborted();
    if (line === undefined) throw unanswered(options, limit.aborted);
    return parseAnswer(line);
  } finally {
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}

const SOCKET_NAME = "control.socket";

/** The shorter of the absolute and the relative path, as a socket's path has little room. */
function socketPath(directory: string): string {
  const absolute = path.join(directory, SOCKET_NAME);
  if (Buffer.byteLength(absolute) <= SOCKET_PATH_MAX_BYTES) return absolute;
  const relative = path.relative(process.cwd(), absolute);
  if (Buffer.byteLength(relative) <= SOCKET_PATH_MAX_BYTES) return relative;
  throw new MirrorError(
    "CONFIG_INVALID",
    `stateDirectory ${directory}: expected a path of at most ${SOCKET_PATH_MAX_BYTES - SOCKET_NAME.length - 1} bytes`,
  );
}

async function listen(server: Server, place: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new MirrorError("DISK_FAILED", `${place}: ${cause.message}`, { cause })),
    );
    server.listen({ path: place }, resolve);
  });
}

async function serve(socket: Socket, handlers: ControlHandlers): Promise<void> {
  socket.on("error", () => socket.destroy());
  const line = await readLine(socket);
  if (line === undefined) {
    socket.destroy();
    return;
  }
  const answer = await answerTo(line, handlers);
  socket.end(`${JSON.stringify(answer)}\n`);
}

async function answerTo(line: string, handlers: ControlHandlers): Promise<ControlAnswer> {
  try {
    const handler = Object.entries(handlers).find(([name]) => name === parseRequest(line))?.[1];
    if (handler === undefined) throw new MirrorError("UNSUPPORTED", "unknown request");
    return { kind: "done", value: (await handler()) ?? null };
  } catch (error) {
    if (isMirrorError(error)) return { kind: "failed", code: error.code, message: error.message };
    throw error;
  }
}

function parseRequest(line: string): unknown {
  const value = parseJson(line);
  return typeof value === "object" && value !== null && "request" in value
    ? value.request
    : undefined;
}

function parseAnswer(line: string): ControlAnswer {
  const value = parseJson(line);
  if (typeof value === "object" && value !== null && "kind" in value) {
    if (value.kind === "done" && "value" in value) return { kind: "done", value: value.value };
    if (value.kind === "failed" && "code" in value && "message" in value) {
      return { kind: "failed", code: String(value.code), message: String(value.message) };
    }
  }
  throw new MirrorError("PROGRAM_FAILED", "the daemon's answer is not understood");
}

function unanswered(
  options: { readonly directory: string; readonly timeoutMs: number },
  timedOut: boolean,
): MirrorError {
  const what = timedOut ? `did not answer within ${options.timeoutMs} ms` : "closed the connection";
  return new MirrorError("PROGRAM_FAILED", `the daemon of ${options.directory} ${what}`);
}

/** Undefined when nobody listens there. */
async function open(place: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: place });
    socket.once("connect", () => resolve(socket));
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const isAbsent = cause.code === "ENOENT" || cause.code === "ECONNREFUSED";
      if (isAbsent) resolve(undefined);
      else reject(new MirrorError("DISK_FAILED", `${place}: ${cause.message}`, { cause }));
    });
  });
}

/** The first line without its LF; undefined when the other side ends, fails or is cut off before. */
async function readLine(socket: Socket): Promise<string | undefined> {
  let text = "";
  socket.setEncoding("utf8");
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      const end = text.indexOf("\n");
      if (end >= 0) return text.slice(0, end);
      if (text.length > LINE_MAX_CHARACTERS) return undefined;
    }
  } catch {
    return undefined; // a connection that breaks asks for nothing
  }
  return undefined;
}
