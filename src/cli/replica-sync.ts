import { syncOnce } from "../replica/cycle.js";
import type { CommandContext } from "./command.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE } from "./exit-status.js";
import { type ReplicaOptions, readReplicaMirrors } from "./replica-mirrors.js";
import { formatPlan, formatSyncReport } from "./sync-text.js";

export interface ReplicaSyncOptions extends ReplicaOptions {
  readonly dryRun?: boolean;
  readonly forcePurge?: boolean;
  readonly checksum?: boolean;
}

/** One cycle for each mirror. */
export async function replicaSync(
  options: ReplicaSyncOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, signal, print } = context;
  const dryRun = options.dryRun === true;
  const forcePurge = options.forcePurge === true;
  const checksum = options.checksum === true;
  return forEachMirror(readReplicaMirrors(options), context, async (config) => {
    const report = await syncOnce({ config, runtime, signal, dryRun, forcePurge, checksum });
    if (options.json === true) print(JSON.stringify(report));
    else if (options.quiet !== true) print(dryRun ? formatPlan(report) : formatSyncReport(report));
    return DONE;
  });
}
