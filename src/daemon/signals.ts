/** SIGINT and SIGTERM ask for an orderly end; the second one ends the process at once. */
import { MirrorError } from "../errors.js";

export type StopSignal = "SIGINT" | "SIGTERM";

export interface StopSignals {
  /** Aborts with a CANCELLED error at the first signal. */
  readonly signal: AbortSignal;
  readonly received: StopSignal | undefined;
  /** Asks for the end as a signal would. */
  stop(): void;
  /** Gives the signals back to the system. */
  release(): void;
}

export function listenForStop(): StopSignals {
  const controller = new AbortController();
  let received: StopSignal | undefined;
  const release = (): void => {
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    received = name === "SIGINT" ? "SIGINT" : "SIGTERM";
    release();
    controller.abort(new MirrorError("CANCELLED", `stopped by ${received}`));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    stop: () => controller.abort(new MirrorError("CANCELLED", "stopped on request")),
    release,
  };
}
