import type { Command } from "commander";
import { addAction, addConfigOptions, logFormatOption, type Run } from "./command-options.js";
import { MASTER_CONFIG } from "./config-paths.js";
import type { MasterAuditOptions } from "./master-audit.js";
import type { MasterPublishOptions } from "./master-publish.js";
import type { MasterRunOptions } from "./master-run.js";
import type { MasterStatusOptions } from "./master-status.js";
import type { MasterTriggerOptions } from "./master-trigger.js";

export function addMasterCommands(master: Command, run: Run): void {
  const add = (name: string, description: string): Command =>
    addConfigOptions(addAction(master, name, description), MASTER_CONFIG);
  add("publish", "one cycle: back up, encode, publish, push")
    .option("--full", "begin a new chain with a full set")
    .action(async (options: MasterPublishOptions) => {
      const { masterPublish } = await import("./master-publish.js");
      await run(masterPublish, options);
    });
  add("run", "the daemon: cycles by schedule, changes and triggers; HTTP")
    .addOption(logFormatOption())
    .action(async (options: MasterRunOptions) => {
      const { masterRun } = await import("./master-run.js");
      await run(masterRun, options, true);
    });
  add("status", "what is published, and what each host holds").action(
    async (options: MasterStatusOptions) => {
      const { showMasterStatus } = await import("./master-status.js");
      await run(showMasterStatus, options);
    },
  );
  add("audit", "read back what the publication and the hosts hold, and check it")
    .option("--repair", "make good what is damaged, from any good copy or any k shares")
    .option("--sample <number>", "blocks to read of each share, at random (default: 100)")
    .option("--all", "read all blocks")
    .option("--seed <number>", "choose the blocks that an earlier audit with this seed chose")
    .addHelpText("after", AUDIT_HELP)
    .action(async (options: MasterAuditOptions) => {
      const { masterAudit } = await import("./master-audit.js");
      await run(masterAudit, options);
    });
  add("trigger", "ask the running daemon for a cycle, and wait for its end")
    .option("--timeout <seconds>", "how long to wait", "24h")
    .action(async (options: MasterTriggerOptions) => {
      const { masterTrigger } = await import("./master-trigger.js");
      await run(masterTrigger, options);
    });
}

const AUDIT_HELP = `
Every file is looked at; of blocks and pages of tables so many are read. The status is 0 when all is
good or was repaired, 1 when damage is left or a host does not answer, and 4 when fewer than k good
shares can be had of something that --repair wanted to make again. A daemon that runs must be
stopped before (status 7).`;
