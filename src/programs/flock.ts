import { MirrorError } from "../errors.js";
import { runProgram } from "./run.js";

/**
 * Whether the open file is now locked by us alone. The lock belongs to the open file, not to the program
 * that asks for it: it ends when the last descriptor of it is closed, so also when we die.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function tryLock(
  descriptor: number,
  options: { readonly signal: AbortSignal },
): Promise<boolean> {
  const { exitCode, stderr } = await runProgram({
    program: "flock",
    arguments: ["--nonblock", "--exclusive", "--conflict-exit-code", String(IS_LOCKED), "0"],
    timeoutMs: TIMEOUT_MS,
    stdin: descriptor,
    signal: options.signal,
  });
  if (exitCode === 0) return true;
  if (exitCode === IS_LOCKED) return false;
  throw new MirrorError("PROGRAM_FAILED", `flock ended with ${exitCode}: ${stderr.trim()}`);
}

const IS_LOCKED = 75;

/** It never waits; only a machine in trouble is this slow. */
const TIMEOUT_MS = 30_000;
