/** Runs a program and tells how long it took and the most memory its process ever held. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const POLL_MS = 10;

/** Throws when it fails, with what it said. */
export async function measure(program, words, options = {}) {
  const startedAt = performance.now();
  const child = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"], ...options });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  let peakBytes = 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, highWater(child.pid));
  }, POLL_MS);
  const exitCode = await new Promise((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  clearInterval(timer);
  if (exitCode !== 0)
    throw new Error(`${program} ${words.join(" ")} ended with ${exitCode}:\n${said}`);
  return { seconds: (performance.now() - startedAt) / 1000, peakBytes };
}

/** VmHWM: the kernel remembers the peak, so a late look does not miss an early one. */
function highWater(pid) {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found === null ? 0 : Number.parseInt(found[1], 10) * 1024;
  } catch {
    return 0;
  }
}

export function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
