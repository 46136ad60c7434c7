/** Tells systemd how the daemon is (sd_notify), by `systemd-notify`; does nothing where systemd did not ask. */
import { runProgram } from "../programs/run.js";
import type { Log } from "../runtime.js";

export interface Notifier {
  /** Start-up is over. */
  ready(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
}

/** Until `signal` aborts, the watchdog is fed as often as systemd wants: a hanging event loop does not. */
export function createNotifier(options: {
  /** NOTIFY_SOCKET and WATCHDOG_USEC, as systemd gives them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Notifier {
  const { environment, log, signal } = options;
  if (environment["NOTIFY_SOCKET"] === undefined) return SILENT;
  const send = (state: string): void => {
    void runProgram({
      program: "systemd-notify",
      arguments: ["--no-block", state],
      timeoutMs: 5000,
      signal: new AbortController().signal,
    }).catch((error: unknown) => log.warn("notify.failed", { state, message: String(error) }));
  };
  feedWatchdog(Number(environment["WATCHDOG_USEC"]) / 1000, send, signal);
  return {
    ready: () => send("READY=1"),
    status: (text) => send(`STATUS=${text.replaceAll("\n", " ")}`),
    stopping: () => send("STOPPING=1"),
  };
}

const SILENT: Notifier = {
  ready: () => undefined,
  status: () => undefined,
  stopping: () => undefined,
};

function feedWatchdog(everyMs: number, send: (state: string) => void, signal: AbortSignal): void {
  if (!(everyMs > 0)) return;
  const timer = setInterval(() => send("WATCHDOG=1"), everyMs / 2);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
