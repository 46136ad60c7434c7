import { auditOnce } from "../master/audit.js";
import { damageLeft } from "../master/audit-report.js";
import { formatAudit } from "./audit-text.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE, exitStatusOf, FAILED } from "./exit-status.js";
import { readMasterMirrors } from "./master-mirrors.js";
import { wholeNumber } from "./option-values.js";

export interface MasterAuditOptions extends CommonOptions, ConfigOptions {
  readonly repair?: boolean;
  readonly sample?: string;
  readonly all?: boolean;
  readonly seed?: string;
}

/** Reads back what the publication and the hosts hold. The exit status says whether all is right now. */
export async function masterAudit(
  options: MasterAuditOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, signal, print, complainText } = context;
  const repair = options.repair === true;
  const sample = options.all === true ? "all" : (wholeNumber("--sample", options.sample) ?? SAMPLE);
  const seed = wholeNumber("--seed", options.seed) ?? Math.floor(runtime.random() * 2 ** 32);
  return forEachMirror(readMasterMirrors(options), context, async (config) => {
    const report = await auditOnce({ config, runtime, signal, repair, sample, seed });
    const left = damageLeft(report);
    if (options.json === true) print(JSON.stringify(report));
    else if (options.quiet !== true) for (const line of formatAudit(report)) print(line);
    if (left.length === 0) return DONE;
    const advice = repair ? "" : ": `master audit --repair` makes good what it can";
    complainText(`${config.name}: ${left.length} findings are not repaired${advice}`);
    return left.some(({ isLost }) => isLost === true) ? exitStatusOf("SHARES_TOO_FEW") : FAILED;
  });
}

/** A share that lost a hundredth of its blocks is found with a certainty of 63 in 100, one that lost a twentieth of 99. */
const SAMPLE = 100;
