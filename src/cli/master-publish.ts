import { publishOnce } from "../master/cycle.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE } from "./exit-status.js";
import { readMasterMirrors } from "./master-mirrors.js";
import { formatPublishReport } from "./publish-text.js";

export interface MasterPublishOptions extends CommonOptions, ConfigOptions {
  readonly full?: boolean;
}

/** One cycle for each mirror. */
export async function masterPublish(
  options: MasterPublishOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, signal, print } = context;
  const full = options.full === true;
  return forEachMirror(readMasterMirrors(options), context, async (config) => {
    const report = await publishOnce({ config, runtime, signal, full });
    if (options.json === true) print(JSON.stringify(report));
    else if (options.quiet !== true) print(formatPublishReport(report));
    return DONE;
  });
}
