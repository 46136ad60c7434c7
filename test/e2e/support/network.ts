/** Sources in network namespaces of their own, each behind a link with a delay and a rate that can be cut off. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa, execaSync } from "execa";
import { Random } from "../../support/random.js";

const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const DELAY_LINK = fileURLToPath(new URL("delay-link.py", import.meta.url));

/** Why there can be no such network here; undefined when there can. */
export const NO_NETWORK = findReason();

export interface FarSource {
  readonly url: string;
  /** No packet comes or goes any more, and nobody says so. */
  cutOff(): Promise<void>;
  heal(): Promise<void>;
  close(): Promise<void>;
}

/** `dupmirror serve` of `folder`, `delayMs` away each way. */
export async function startFarSource(
  folder: string,
  link: { readonly delayMs: number; readonly rate?: string },
): Promise<FarSource> {
  const name = `dm${process.pid % 100_000}x${count++}`;
  const [near, far] = newAddresses();
  const running: ReturnType<typeof start>[] = [];
  const begin = async (program: string, words: readonly string[]): Promise<void> => {
    const child = start(program, words);
    running.push(child);
    await new Promise((resolve) => child.stdout.once("data", resolve));
  };
  const close = async (): Promise<void> => {
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(running);
    await execa("ip", ["netns", "del", name]);
  };
  await execa("ip", ["netns", "add", name]);
  try {
    const delay = `${link.delayMs}`;
    await begin("python3", [DELAY_LINK, name, `${near}/30`, name, `${far}/30`, delay]);
    if (link.rate !== undefined) await limitRate(name, link.rate);
    const serve = [process.execPath, MAIN, "serve", folder, "--listen", `${far}:80`];
    await begin("ip", ["netns", "exec", name, ...serve]);
  } catch (error) {
    await close();
    throw error;
  }
  const setFar = async (state: string): Promise<void> => {
    await execa("ip", ["-n", name, "link", "set", name, state]);
  };
  return {
    url: `http://${far}`,
    cutOff: () => setFar("down"),
    heal: () => setFar("up"),
    close,
  };
}

let count = 0;

function start(program: string, words: readonly string[]) {
  return execa(program, words, { reject: false, stdin: "ignore", stderr: "inherit" });
}

/** A /30 of the range that is set apart for benchmarks (RFC 2544). */
function newAddresses(): readonly [string, string] {
  const net = new Random(process.pid * 64 + count).below(2 ** 15) * 4;
  const host = (number: number) =>
    `198.${18 + (net >> 16)}.${(net >> 8) & 255}.${(net & 255) + number}`;
  return [host(1), host(2)];
}

async function limitRate(name: string, rate: string): Promise<void> {
  const shape = ["rate", rate, "burst", "256k", "latency", "50ms"];
  await execa("tc", ["-n", name, "qdisc", "add", "dev", name, "root", "tbf", ...shape]);
}

function findReason(): string | undefined {
  if (process.getuid?.() !== 0) return "skipped: only root can make a network";
  if (!existsSync("/dev/net/tun")) return "skipped: there is no /dev/net/tun";
  for (const [program = "", ...words] of [
    ["ip", "-V"],
    ["tc", "-V"],
    ["python3", "-V"],
  ]) {
    if (execaSync(program, words, { reject: false }).failed) {
      return `skipped: ${program} is not installed`;
    }
  }
  const probe = `dm${process.pid % 100_000}p`;
  if (execaSync("ip", ["netns", "add", probe], { reject: false }).failed) {
    return "skipped: network namespaces cannot be made here";
  }
  execaSync("ip", ["netns", "del", probe]);
  return undefined;
}
