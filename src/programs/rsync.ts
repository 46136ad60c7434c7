import { MirrorError } from "../errors.js";
import { runProgram } from "./run.js";

/** What moved between the two ends of an rsync, both ways. */
export interface RsyncTraffic {
  readonly bytes: number;
}

/**
 * Makes `to` equal to `from`, as rsync does between two machines: compressed, by differences.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function mirrorWithRsync(options: {
  readonly from: string;
  readonly to: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<RsyncTraffic> {
  const { from, to, timeoutMs, signal } = options;
  const { exitCode, stdout, stderr } = await runProgram({
    program: "rsync",
    arguments: ["-az", "--no-whole-file", "--delete", "--stats", "--", `${from}/`, `${to}/`],
    timeoutMs,
    signal,
  });
  if (exitCode !== 0) {
    throw new MirrorError("PROGRAM_FAILED", `rsync ended with ${exitCode}: ${stderr.trim()}`);
  }
  return { bytes: readCount(stdout, "sent") + readCount(stdout, "received") };
}

function readCount(stats: string, what: "sent" | "received"): number {
  const digits = new RegExp(`^Total bytes ${what}: ([\\d,.]+)`, "m").exec(stats)?.[1];
  if (digits === undefined) throw new MirrorError("PROGRAM_FAILED", "rsync gave no statistics");
  return Number(digits.replaceAll(/[,.]/g, ""));
}
