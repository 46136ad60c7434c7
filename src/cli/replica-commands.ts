import { type Command, Option } from "commander";
import {
  addAction,
  addConfigOptions,
  addLimitOptions,
  collectOption,
  logFormatOption,
  type Run,
} from "./command-options.js";
import { REPLICA_CONFIG } from "./config-paths.js";
import type { ReplicaPlanOptions } from "./replica-plan.js";
import type { ReplicaRollbackOptions } from "./replica-rollback.js";
import type { ReplicaRunOptions } from "./replica-run.js";
import type { ReplicaStatusOptions } from "./replica-status.js";
import type { ReplicaSyncOptions } from "./replica-sync.js";
import type { ReplicaVerifyOptions } from "./replica-verify.js";

export function addReplicaCommands(replica: Command, run: Run): void {
  const add = (name: string, description: string): Command =>
    addConfigOptions(addAction(replica, name, description), REPLICA_CONFIG);
  addOverrides(add("sync", "one cycle: bring the tree to the newest set"))
    .addOption(checksumOption())
    .option("-n, --dry-run", "plan only, change nothing")
    .addOption(forcePurgeOption())
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
  addOverrides(add("plan", "what the next sync would do: steps, bytes, requests, deletes"))
    .addOption(checksumOption())
    .action(async (options: ReplicaPlanOptions) => {
      const { replicaPlan } = await import("./replica-plan.js");
      await run(replicaPlan, options);
    });
  add("status", "position, lag and the trusted head").action(
    async (options: ReplicaStatusOptions) => {
      const { showReplicaStatus } = await import("./replica-status.js");
      await run(showReplicaStatus, options);
    },
  );
  add("verify", "compare the tree with what its set recorded; goes on where it was cut off")
    .option("--repair", "mend what is found, and fetch only what is damaged")
    .addOption(forcePurgeOption())
    .action(async (options: ReplicaVerifyOptions) => {
      const { replicaVerify } = await import("./replica-verify.js");
      await run(replicaVerify, options);
    });
  addOverrides(add("rollback", "bring the tree back to an older set and keep it there"))
    .option("--to <set>", "a set, a time (the newest set not after it), or newest: follow again")
    .addOption(checksumOption())
    .option("-n, --dry-run", "plan only, change nothing")
    .addOption(forcePurgeOption())
    .addHelpText("after", ROLLBACK_HELP)
    .action(async (options: ReplicaRollbackOptions) => {
      const { replicaRollback } = await import("./replica-rollback.js");
      await run(replicaRollback, options);
    });
}

const ROLLBACK_HELP = `
Without --to it lists the sets that the publication still holds. Times without a zone are UTC.
A daemon that runs must be stopped before, and may be started again after: it keeps the tree where
it is, and goes on to check each new head, until \`rollback --to newest\`.`;

function checksumOption(): Option {
  return new Option("--checksum", "read all files and compare their content, not size and time");
}

function forcePurgeOption(): Option {
  return new Option("--force-purge", "delete as many files as it takes, this once");
}

/** rsync's spellings of what the config says too. */
function addOverrides(command: Command): Command {
  command
    .option(
      "--include <pattern>",
      "instead of the config's include; may be repeated",
      collectOption,
    )
    .option(
      "--exclude <pattern>",
      "in addition to the config's exclude; may be repeated",
      collectOption,
    )
    .option("--max-delete <number>", "delete at most so many files");
  return addLimitOptions(command);
}
