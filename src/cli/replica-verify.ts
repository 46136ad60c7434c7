import { verifyOnce } from "../replica/verify.js";
import { isTreeRight } from "../replica/verify-report.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE, FAILED } from "./exit-status.js";
import { readReplicaMirrors } from "./replica-mirrors.js";
import { formatFindings, formatVerifySummary } from "./verify-text.js";

export interface ReplicaVerifyOptions extends CommonOptions, ConfigOptions {
  readonly repair?: boolean;
  readonly forcePurge?: boolean;
}

/** Compares each mirror's tree with its set. The exit status says whether all are right now. */
export async function replicaVerify(
  options: ReplicaVerifyOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, signal, print, complainText } = context;
  const repair = options.repair === true;
  const forcePurge = options.forcePurge === true;
  return forEachMirror(readReplicaMirrors(options), context, async (config) => {
    const order = { config, runtime, signal, repair, forcePurge, isIdle: true };
    const report = await verifyOnce(order);
    const isRight = isTreeRight(report);
    if (options.json === true) print(JSON.stringify(report));
    else if (options.quiet !== true) for (const line of formatFindings(report)) print(line);
    if (!isRight) complainText(formatVerifySummary(report));
    else if (options.json !== true && options.quiet !== true) print(formatVerifySummary(report));
    return isRight ? DONE : FAILED;
  });
}
