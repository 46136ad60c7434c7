import { createNotifier } from "../daemon/notify.js";
import { runReplica } from "../replica/run.js";
import type { CommandContext } from "./command.js";
import { DONE } from "./exit-status.js";
import { type ReplicaOptions, readReplicaMirrors } from "./replica-mirrors.js";

export type ReplicaRunOptions = ReplicaOptions;

/** Follows all mirrors until it is told to stop. */
export async function replicaRun(
  options: ReplicaRunOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, stop, signal, environment } = context;
  const mirrors = readReplicaMirrors(options);
  const notifier = createNotifier({ environment, log: runtime.log, signal });
  signal.addEventListener("abort", () => notifier.stopping(), { once: true });
  const ready = (): void => notifier.ready();
  await runReplica({ mirrors, runtime, ready, stop, signal });
  return DONE;
}
