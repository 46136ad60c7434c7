import { MirrorError } from "../errors.js";
import { runProgram } from "./run.js";

/**
 * Makes durable all that was written to the file system of `folder`; cheaper than a sync for each of many files.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function syncFileSystem(
  folder: string,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { exitCode, stderr } = await runProgram({
    program: "sync",
    arguments: ["--file-system", "--", folder],
    timeoutMs: TIMEOUT_MS,
    signal: options.signal,
  });
  if (exitCode === 0) return;
  throw new MirrorError("PROGRAM_FAILED", `sync ended with ${exitCode}: ${stderr.trim()}`);
}

/** A slow disk may owe some gigabytes to others, too. */
const TIMEOUT_MS = 30 * 60_000;
