/** Our own command as another process. */
import { once } from "node:events";
import { execa } from "execa";
import { MirrorError } from "../errors.js";

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
  const command = [process.execPath, ...process.execArgv, script, ...options.arguments];
  const child = execa("setpriv", ["--pdeathsig", "KILL", "--", ...command], {
    stdin: "ignore",
    stderr: "ignore",
    detached: true,
    buffer: false,
    reject: false,
    cancelSignal: signal,
    killSignal: "SIGKILL",
  });
  const exit = once(child, "exit");
  const line = await child.iterable()[Symbol.asyncIterator]().next();
  if (line.done !== true) {
    const kill = async (): Promise<void> => {
      child.kill("SIGKILL");
      await exit;
    };
    return { firstLine: line.value, kill };
  }
  const { exitCode } = await child;
  signal.throwIfAborted();
  const name = options.arguments[0] ?? "";
  throw new MirrorError(
    "PROGRAM_FAILED",
    `dupmirror ${name} ended at once with ${exitCode ?? "a signal"}`,
  );
}
