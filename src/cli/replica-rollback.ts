import { listSets, rollBack, type SetList } from "../replica/rollback.js";
import type { CommandContext } from "./command.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE } from "./exit-status.js";
import { readReplicaMirrors } from "./replica-mirrors.js";
import type { ReplicaSyncOptions } from "./replica-sync.js";
import { formatHold, formatPlan, formatSyncReport } from "./sync-text.js";

export interface ReplicaRollbackOptions extends ReplicaSyncOptions {
  readonly to?: string;
}

/** Brings each mirror's tree back to a set, or lists what it can be brought back to. */
export async function replicaRollback(
  options: ReplicaRollbackOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, signal, print } = context;
  const { to, json, quiet } = options;
  const dryRun = options.dryRun === true;
  const how = {
    dryRun,
    forcePurge: options.forcePurge === true,
    checksum: options.checksum === true,
  };
  return forEachMirror(readReplicaMirrors(options), context, async (config) => {
    if (to === undefined) {
      const list = await listSets({ config, runtime, signal });
      print(json === true ? JSON.stringify(list) : formatList(list));
      return DONE;
    }
    const report = await rollBack({ ...how, config, runtime, signal, to });
    if (json === true) print(JSON.stringify(report));
    else if (quiet !== true) print(dryRun ? formatPlan(report, to) : formatSyncReport(report));
    return DONE;
  });
}

function formatList({ mirror, generation, held, sets }: SetList): string {
  const lines = sets.map(({ set, time, isPosition, isNewest }) => {
    const marks = [...(isPosition ? ["the tree's"] : []), ...(isNewest ? ["newest"] : [])];
    return `  ${time}  ${set}${marks.length === 0 ? "" : `  (${marks.join(", ")})`}`;
  });
  return [
    `${mirror}: ${sets.length} sets to go back to (generation ${generation})`,
    ...lines,
    ...(held === undefined ? [] : [`  ${formatHold(held)}`]),
  ].join("\n");
}
