import { MirrorError } from "../errors.js";
import { runProgram } from "./run.js";

/** A copy of a tree with all that `cp -a` keeps; shares blocks where the file system can. @throws MirrorError PROGRAM_FAILED */
export async function copyTree(options: {
  readonly from: string;
  readonly to: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { from, to, timeoutMs, signal } = options;
  const { exitCode, stderr } = await runProgram({
    program: "cp",
    arguments: ["-a", "--reflink=auto", "--", `${from}/.`, to],
    timeoutMs,
    signal,
  });
  if (exitCode === 0) return;
  const why = stderr.trim().split("\n", 1)[0] ?? "";
  throw new MirrorError("PROGRAM_FAILED", `cannot copy ${from}: ${why}`);
}
