import { runProgram } from "./run.js";

/**
 * Lets all others of the machine go first at the disk, where its scheduler knows of such classes.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function makeIdleAtDisk(
  thread: number,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await runProgram({
    program: "ionice",
    arguments: ["-c", "3", "-p", String(thread)],
    timeoutMs: TIMEOUT_MS,
    signal: options.signal,
  });
}

const TIMEOUT_MS = 10_000;
