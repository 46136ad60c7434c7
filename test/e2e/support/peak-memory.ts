import { readFileSync } from "node:fs";
import { type CliResult, startDupmirror } from "../../support/cli.js";

/** Runs `dupmirror <words>` to its end, however it ends, and tells the most memory that it ever held. */
export async function measureDupmirror(
  words: readonly string[],
): Promise<{ readonly result: CliResult; readonly peakBytes: number }> {
  const command = startDupmirror(words);
  let peakBytes = 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, highWater(command.processId));
  }, POLL_MS);
  const result = await command.ended;
  clearInterval(timer);
  return { result, peakBytes };
}

const POLL_MS = 5;

/** VmHWM: the kernel remembers the peak, so that a late look does not miss an early one. */
function highWater(processId: number): number {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${processId}/status`, "utf8"));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}
