/**
 * Other programs, run so that none outlives us or waits for ever: each is its own session without a terminal,
 * has nothing on its standard input unless given, a time limit, and is killed when we die, however we die.
 */
import assert from "node:assert/strict";
import { execa } from "execa";
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
  const stop = stopWhen(options);
  const child = start(options, stop.signal);
  endGroupWith(child, stop.signal);
  try {
    const [ending, stdout, stderr] = await Promise.all([
      child,
      tailOf(child, "stdout"),
      tailOf(child, "stderr"),
      eachLine(child, options.onLine),
    ]);
    stop.signal.throwIfAborted();
    const { code, exitCode, signal } = ending;
    return judge(options.program, { code, exitCode, signal, stdout, stderr });
  } finally {
    stop.release();
    if (!isGone(child)) child.kill("SIGKILL");
  }
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

type Child = ReturnType<typeof start>;

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
  const release = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", pass);
  };
  return { signal: controller.signal, release };
}

function start(options: ProgramOptions, stop: AbortSignal) {
  const { program, stdin, onLine } = options;
  return execa("setpriv", ["--pdeathsig", "KILL", "--", program, ...options.arguments], {
    stdio: [
      typeof stdin === "number" ? inherited(stdin) : (stdin ?? "ignore"),
      "pipe",
      "pipe",
      onLine === undefined ? "ignore" : "pipe",
    ],
    env: { LC_ALL: "C.UTF-8", ...options.environment },
    detached: true,
    buffer: false,
    reject: false,
    cancelSignal: stop,
    killSignal: options.stopSignal ?? "SIGTERM",
    forceKillAfterDelay: FORCE_KILL_AFTER_MS,
  });
}

function inherited(descriptor: number): 3 {
  assert(isInheritable(descriptor));
  return descriptor;
}

/** Of our descriptors execa takes any, but its types name the first ones only. */
function isInheritable(descriptor: number): descriptor is 3 {
  return descriptor >= 3;
}

/** Once the program was stopped and is gone, what it started goes too; also what keeps its pipes open. */
function endGroupWith(child: Child, stop: AbortSignal): void {
  const endGroup = (): void => {
    if (stop.aborted && isGone(child) && child.pid !== undefined) killGroup(child.pid);
  };
  child.once("exit", endGroup);
  stop.addEventListener("abort", endGroup, { once: true });
}

function isGone(child: Child): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // None of the group is left, which is what was asked.
  }
}

async function eachLine(child: Child, onLine: ((line: string) => void) | undefined): Promise<void> {
  if (onLine === undefined) return;
  for await (const line of child.iterable({ from: "fd3" })) onLine(line);
}

async function tailOf(child: Child, from: "stdout" | "stderr"): Promise<string> {
  const kept: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of child.iterable({ from, binary: true })) {
    kept.push(chunk);
    sizeBytes += chunk.length;
    while (sizeBytes - (kept[0]?.length ?? 0) >= PROGRAM_OUTPUT_MAX_BYTES) {
      sizeBytes -= kept.shift()?.length ?? 0;
    }
  }
  return Buffer.concat(kept).toString();
}

interface Ending {
  /** The system's, of a program that was not started. */
  readonly code: string | undefined;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function judge(program: string, ending: Ending): ProgramResult {
  const { code, exitCode, signal, stdout, stderr } = ending;
  if (signal !== undefined) {
    throw new MirrorError("PROGRAM_FAILED", `${program} was killed by ${signal}`);
  }
  if (exitCode === undefined) {
    if (code === "ENOENT") throw missing("setpriv");
    throw new MirrorError("PROGRAM_FAILED", `${program} cannot be started: ${code ?? "no reason"}`);
  }
  if (stderr.startsWith("setpriv: failed to execute")) {
    if (exitCode === NOT_FOUND) throw missing(program);
    throw new MirrorError("PROGRAM_FAILED", stderr.trim());
  }
  return { stdout, stderr, exitCode };
}

/** What setpriv exits with when there is no such program. */
const NOT_FOUND = 127;

function missing(program: string): MirrorError {
  const source = PACKAGES.get(program);
  const hint = source === undefined ? "" : `: apt install ${source}`;
  return new MirrorError("PROGRAM_MISSING", `${program} is not installed${hint}`);
}
