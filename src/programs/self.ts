/** Our own command as another process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { MirrorError } from "../errors.js";
import { linesOf, startChild } from "./run.js";

export interface SelfProcess {
  /** The first line that it put on stdout. */
  readonly firstLine: string;
  /** Ends it at once, as a crash would; resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Starts `script` with our own node and resolves when it has put a line on stdout. It dies with us.
 * @throws MirrorError PROGRAM_FAILED when it ends before that; the signal's reason when it aborts
 */
export async function startSelf(options: {
  readonly script: string;
  readonly arguments: readonly string[];
  readonly signal: AbortSignal;
}): Promise<SelfProcess> {
  const { script, signal } = options;
  signal.throwIfAborted();
  const child = await startChild(
    process.execPath,
    [...process.execArgv, script, ...options.arguments],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const exit = once(child, "exit");
  signal.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });
  if (signal.aborted) child.kill("SIGKILL");
  assert(child.stdout !== null);
  const line = await linesOf(child.stdout).next();
  if (line.done !== true) {
    const kill = async (): Promise<void> => {
      child.kill("SIGKILL");
      await exit;
    };
    return { firstLine: line.value, kill };
  }
  await exit;
  signal.throwIfAborted();
  const name = options.arguments[0] ?? "";
  throw new MirrorError(
    "PROGRAM_FAILED",
    `dupmirror ${name} ended at once with ${child.exitCode ?? "a signal"}`,
  );
}
