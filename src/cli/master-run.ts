import { createNotifier } from "../daemon/notify.js";
import { runMaster } from "../master/run.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { DONE } from "./exit-status.js";
import { readMasterMirrors } from "./master-mirrors.js";

export interface MasterRunOptions extends CommonOptions, ConfigOptions {}

/** Publishes all mirrors until it is told to stop. */
export async function masterRun(
  options: MasterRunOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, stop, signal, environment } = context;
  const config = { mirrors: readMasterMirrors(options) };
  const notifier = createNotifier({ environment, log: runtime.log, signal });
  await runMaster({ config, runtime, notifier, stop, signal });
  return DONE;
}
