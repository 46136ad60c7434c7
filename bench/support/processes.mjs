/** Programs that the benchmarks start: each leads a process group of its own, so that none of it is left behind. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const running = new Set();

/** Whatever still runs. */
export function killAll() {
  for (const child of running) kill(child);
}

/**
 * Runs a program to its end: `seconds` of the clock, `cpuSeconds` of all its threads and children, of these `mainSeconds` of its first
 * thread, the most memory that the process ever held, and what it said. Throws when it fails, with its last words.
 */
export async function run(program, words, options = {}) {
  const startedAt = performance.now();
  const child = begin("bash", ["-c", TIMED, "bash", program, ...words], options);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const seen = { peakBytes: 0, mainSeconds: 0 };
  const timer = setInterval(() => look(child.pid, seen), LOOK_MS);
  const exitCode = await ended(child);
  clearInterval(timer);
  const seconds = (performance.now() - startedAt) / 1000;
  const said = stderr();
  if (exitCode !== 0)
    throw new Error(`${program} ${words.join(" ")} ended with ${exitCode}:\n${said.slice(-2000)}`);
  const [user, system] = said.trimEnd().split("\n").at(-1).split(" ").map(Number);
  return { seconds, cpuSeconds: user + system, ...seen, stdout: stdout(), stderr: said };
}

/** A program that serves until it is stopped; `isReady` says when it does. */
export async function startServer(program, words, { isReady, ...options }) {
  const child = begin(program, words, options);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const server = {
    pid: child.pid,
    said: stdout,
    cpuSeconds: () => cpuSeconds(child.pid),
    stop: async (signal = "SIGTERM") => {
      const end = ended(child);
      signalGroup(child, signal);
      const giveUp = setTimeout(() => kill(child), STOP_MS);
      await end;
      clearTimeout(giveUp);
    },
  };
  for (const until = performance.now() + START_MS; !(await isReady(server)); await sleep(LOOK_MS)) {
    if (child.exitCode === null && performance.now() < until) continue;
    kill(child);
    throw new Error(`${program} ${words.join(" ")} does not serve:\n${stderr().slice(-2000)}`);
  }
  return server;
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const tell = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => tell(true)).on("error", () => tell(false));
  });
}

/** The processor's time of a program and its threads as its last line, also where there is no `time` to install. */
const TIMED = 'TIMEFORMAT="%3U %3S"; time "$@"';
const LOOK_MS = 10;
const START_MS = 120_000;
const STOP_MS = 20_000;
const TICKS_PER_SECOND = 100;

function begin(program, words, options) {
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...options,
  });
  running.add(child);
  child.on("close", () => running.delete(child));
  child.on("error", () => running.delete(child));
  return child;
}

function collect(stream) {
  const parts = [];
  stream.on("data", (part) => parts.push(part));
  return () => Buffer.concat(parts).toString();
}

async function ended(child) {
  if (!running.has(child)) return child.exitCode;
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code, signal) => resolve(code ?? signal));
  });
}

function kill(child) {
  signalGroup(child, "SIGKILL");
}

function signalGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** At the timed program: the kernel remembers its peak and its time, so the last look before the end tells nearly all. */
function look(shell, seen) {
  try {
    const [pid] = readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").split(" ");
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    if (found !== null) seen.peakBytes = Number.parseInt(found[1], 10) * 1024;
    const [nanoseconds] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
    seen.mainSeconds = Number(nanoseconds) / 1e9;
  } catch {
    // It has not begun, or has ended.
  }
}

/** Of all threads, and of children that have ended. */
function cpuSeconds(pid) {
  const [, fields] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const ticks = fields.split(" ").slice(11, 15).map(Number);
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}
