import { tmpdir } from "node:os";
import path from "node:path";
import { formatSetName } from "../duplicity/names.js";
import { listPublishedSets, restoreTree } from "../replica/restore.js";
import type { CommandContext } from "./command.js";
import { DONE } from "./exit-status.js";
import { type RecoveryOptions, recover } from "./recovery.js";
import { formatKey, formatRestoreReport } from "./recovery-text.js";

export interface RestoreOptions extends RecoveryOptions {
  readonly at?: string;
}

/** Makes a tree of what hosts hold, without anything of the machine that made the backup. */
export async function restore(
  options: RestoreOptions & { readonly out: string },
  context: CommandContext,
): Promise<number> {
  const { signal, print } = context;
  return await recover(options, context, async (recovery) => {
    const { config, fingerprint, isKeyOnTrust, failures } = recovery;
    const report = await restoreTree({ ...recovery, signal, at: options.at });
    if (options.json === true) {
      print(JSON.stringify({ ...report, tree: config.tree, fingerprint, isKeyOnTrust, failures }));
    } else if (options.quiet !== true) {
      print(formatRestoreReport(report, recovery));
      print(formatKey(recovery));
    }
    return DONE;
  });
}

/** Lists what `--at` can name. */
export async function listRestorable(
  options: RecoveryOptions,
  context: CommandContext,
): Promise<number> {
  const { signal, print } = context;
  const nowhere = { ...options, out: path.join(tmpdir(), "dupmirror-restore-list") };
  return await recover(nowhere, context, async (recovery) => {
    const { config, fingerprint, isKeyOnTrust, failures } = recovery;
    const sets = (await listPublishedSets({ ...recovery, signal })).map(({ chain, set }) => {
      const time = new Date(set.time * 1000).toISOString();
      return { chain, set: formatSetName(set), time };
    });
    if (options.json === true) {
      print(JSON.stringify({ mirror: config.name, sets, fingerprint, isKeyOnTrust, failures }));
    } else {
      print(`${config.name}: ${sets.length} sets to restore`);
      for (const { time, set } of sets) print(`  ${time}  ${set}`);
      print(formatKey(recovery));
    }
    return DONE;
  });
}
