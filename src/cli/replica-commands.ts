import type { Command } from "commander";
import { addAction, addConfigOptions, logFormatOption, type Run } from "./command-options.js";
import { REPLICA_CONFIG } from "./config-paths.js";
import { refuseForNow } from "./later.js";
import type { ReplicaPlanOptions } from "./replica-plan.js";
import type { ReplicaRunOptions } from "./replica-run.js";
import type { ReplicaStatusOptions } from "./replica-status.js";
import type { ReplicaSyncOptions } from "./replica-sync.js";

export function addReplicaCommands(replica: Command, run: Run): void {
  const add = (name: string, description: string): Command =>
    addConfigOptions(addAction(replica, name, description), REPLICA_CONFIG);
  addOverrides(add("sync", "one cycle: bring the tree to the newest set"))
    .option("-n, --dry-run", "plan only, change nothing")
    .option("--force-purge", "delete as many files as it takes, this once")
    .action(async (options: ReplicaSyncOptions) => {
      const { replicaSync } = await import("./replica-sync.js");
      await run(replicaSync, options);
    });
  addOverrides(add("run", "the daemon: follows the master until it is told to stop"))
    .addOption(logFormatOption())
    .action(async (options: ReplicaRunOptions) => {
      const { replicaRun } = await import("./replica-run.js");
      await run(replicaRun, options, true);
    });
  addOverrides(add("plan", "what the next sync would do: steps, bytes, requests, deletes")).action(
    async (options: ReplicaPlanOptions) => {
      const { replicaPlan } = await import("./replica-plan.js");
      await run(replicaPlan, options);
    },
  );
  add("status", "position, lag and the trusted head").action(
    async (options: ReplicaStatusOptions) => {
      const { showReplicaStatus } = await import("./replica-status.js");
      await run(showReplicaStatus, options);
    },
  );
  add("verify", "compare the tree with what its set recorded (a later release)")
    .option("--repair", "fetch what is damaged")
    .action(() =>
      refuseForNow("replica verify", "`rsync -anc` against the master compares both trees"),
    );
  add("rollback", "bring the tree back to an older set (a later release)").action(() =>
    refuseForNow("replica rollback", "`duplicity restore --time` makes a tree of an older set"),
  );
}

/** rsync's spellings of what the config says too. */
function addOverrides(command: Command): Command {
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [
    ...before,
    value,
  ];
  return command
    .option("--include <pattern>", "instead of the config's include; may be repeated", collect)
    .option("--exclude <pattern>", "in addition to the config's exclude; may be repeated", collect)
    .option("--max-delete <number>", "delete at most so many files")
    .option("--bwlimit <rate>", "KiB per second, or a rate such as 10MiB")
    .option("--timeout <seconds>", "give a silent source up after so long");
}
