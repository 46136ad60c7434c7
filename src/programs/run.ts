/**
 * Other programs, run so that none outlives us or waits for ever: each is its own session without a terminal,
 * has nothing on its standard input unless given, a time limit, and is killed when we die, however we die.
 */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { MirrorError } from "../errors.js";
import { PROGRAM_OUTPUT_MAX_BYTES } from "../limits.js";

export interface ProgramOptions {
  readonly program: string;
  readonly arguments: readonly string[];
  /** Added to our own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What the program has as its standard input: these bytes, or a descriptor of ours. */
  readonly stdin?: Uint8Array | number;
  /** Takes, one by one, the lines that the program writes to its descriptor 3. */
  readonly onLine?: (line: string) => void;
  /** What asks the program to stop; SIGKILL follows. */
  readonly stopSignal?: "SIGINT" | "SIGTERM";
}

/** How a program ended by itself; of long output, the end. */
export interface ProgramResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/**
 * Runs a program to its end. An exit code other than 0 is the caller's to judge.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED (time limit, killed); the signal's reason when it aborts
 */
export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  options.signal.throwIfAborted();
  const child = await start(options);
  const stop = stopWhen(options);
  const release = endWhen(stop.signal, child, options.stopSignal ?? "SIGTERM");
  try {
    const [, stdout, stderr] = await Promise.all([
      once(child, "close"),
      tailOf(outputOf(child, 1)),
      tailOf(outputOf(child, 2)),
      options.onLine === undefined ? undefined : eachLine(outputOf(child, 3), options.onLine),
    ]);
    stop.signal.throwIfAborted();
    return judge(options.program, child, { stdout, stderr });
  } finally {
    release();
    stop.release();
    if (!isGone(child)) child.kill("SIGKILL");
  }
}

/**
 * Starts a program that is killed when we die, in a session of its own.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED when it cannot be started
 */
export async function startChild(
  program: string,
  words: readonly string[],
  options: Pick<SpawnOptions, "env" | "stdio">,
): Promise<ChildProcess> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", program, ...words], {
    ...options,
    detached: true,
  });
  if (child.pid !== undefined) return child;
  const causes: unknown[] = await once(child, "error");
  throw notStarted(program, causes[0]);
}

/** The lines that a program writes. */
export async function* linesOf(output: Readable): AsyncGenerator<string> {
  const texts: AsyncIterable<string> = output.setEncoding("utf8");
  let rest = "";
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** How long a program that was asked to stop may take. */
const FORCE_KILL_AFTER_MS = 5000;

/** The longest time that timers can wait. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Where programs come from, for the operator who misses one. */
const PACKAGES = new Map([
  ["duplicity", "duplicity"],
  ["gpg", "gpg"],
  ["gpgconf", "gpgconf"],
  ["setpriv", "util-linux"],
  ["flock", "util-linux"],
  ["ionice", "util-linux"],
  ["sync", "coreutils"],
  ["sh", "dash"],
  ["systemd-notify", "systemd"],
]);

interface Stop {
  readonly signal: AbortSignal;
  release(): void;
}

/** Aborts with the caller's signal, or when the time is over. */
function stopWhen({ program, timeoutMs, signal }: ProgramOptions): Stop {
  const controller = new AbortController();
  const pass = (): void => controller.abort(signal.reason);
  const timer = setTimeout(
    () => {
      const message = `${program} took longer than ${Math.round(timeoutMs / 1000)} s and was stopped`;
      controller.abort(new MirrorError("PROGRAM_FAILED", message));
    },
    Math.min(timeoutMs, TIMER_MAX_MS),
  );
  signal.addEventListener("abort", pass, { once: true });
  if (signal.aborted) pass();
  const release = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", pass);
  };
  return { signal: controller.signal, release };
}

async function start(options: ProgramOptions): Promise<ChildProcess> {
  const { program, stdin = "ignore", onLine, environment } = options;
  const isGiven = stdin instanceof Uint8Array;
  const lines = onLine === undefined ? "ignore" : "pipe";
  const child = await startChild(program, options.arguments, {
    stdio: [isGiven ? "pipe" : stdin, "pipe", "pipe", lines],
    env: { ...process.env, LC_ALL: "C.UTF-8", ...environment },
  });
  // What a program does not want to read is its own affair.
  if (isGiven) child.stdin?.on("error", () => undefined).end(stdin);
  return child;
}

/** Once the program was asked to stop and is gone, what it started goes too; also what keeps its pipes open. */
function endWhen(stop: AbortSignal, child: ChildProcess, how: NodeJS.Signals): () => void {
  let force: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (isGone(child)) {
      killGroup(child);
      return;
    }
    child.once("exit", () => killGroup(child));
    child.kill(how);
    force = setTimeout(() => child.kill("SIGKILL"), FORCE_KILL_AFTER_MS);
  };
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  return () => {
    clearTimeout(force);
    stop.removeEventListener("abort", end);
  };
}

function isGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function killGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return;
  try {
    process.kill(-leader.pid, "SIGKILL");
  } catch {
    // None of the group is left, which is what was asked.
  }
}

function outputOf(child: ChildProcess, descriptor: 1 | 2 | 3): Readable {
  const output = child.stdio[descriptor];
  assert(output instanceof Readable);
  return output;
}

async function eachLine(output: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of linesOf(output)) onLine(line);
}

async function tailOf(output: Readable): Promise<string> {
  const chunks: AsyncIterable<Uint8Array> = output;
  const kept: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    kept.push(chunk);
    sizeBytes += chunk.length;
    while (sizeBytes - (kept[0]?.length ?? 0) >= PROGRAM_OUTPUT_MAX_BYTES) {
      sizeBytes -= kept.shift()?.length ?? 0;
    }
  }
  return Buffer.concat(kept).toString();
}

function judge(
  program: string,
  { exitCode, signalCode }: ChildProcess,
  { stdout, stderr }: Omit<ProgramResult, "exitCode">,
): ProgramResult {
  if (exitCode === null) {
    throw new MirrorError("PROGRAM_FAILED", `${program} was killed by ${signalCode ?? "somebody"}`);
  }
  if (stderr.startsWith("setpriv: failed to execute")) {
    if (exitCode === NOT_FOUND) throw missing(program);
    throw new MirrorError("PROGRAM_FAILED", stderr.trim());
  }
  return { stdout, stderr, exitCode };
}

/** What setpriv exits with when there is no such program. */
const NOT_FOUND = 127;

function notStarted(program: string, cause: unknown): MirrorError {
  if (!(cause instanceof Error)) throw cause;
  if ("code" in cause && cause.code === "ENOENT") return missing("setpriv");
  const message = `cannot start ${program}: ${cause.message}`;
  return new MirrorError("PROGRAM_FAILED", message, { cause });
}

function missing(program: string): MirrorError {
  const source = PACKAGES.get(program);
  const hint = source === undefined ? "" : `: apt install ${source}`;
  return new MirrorError("PROGRAM_MISSING", `${program} is not installed${hint}`);
}
