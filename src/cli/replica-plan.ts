import { syncOnce } from "../replica/cycle.js";
import type { CommandContext } from "./command.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE } from "./exit-status.js";
import { type ReplicaOptions, readReplicaMirrors } from "./replica-mirrors.js";
import { formatPlan } from "./sync-text.js";

export interface ReplicaPlanOptions extends ReplicaOptions {
  readonly checksum?: boolean;
}

/** What the next sync of each mirror would do; the tree stays as it is. */
export async function replicaPlan(
  options: ReplicaPlanOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, signal, print } = context;
  const checksum = options.checksum === true;
  return forEachMirror(readReplicaMirrors(options), context, async (config) => {
    const report = await syncOnce({ config, runtime, signal, dryRun: true, checksum });
    print(options.json === true ? JSON.stringify(report) : formatPlan(report));
    return DONE;
  });
}
