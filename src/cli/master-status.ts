import { type MasterStatus, masterStatus } from "../master/status.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE } from "./exit-status.js";
import { readMasterMirrors } from "./master-mirrors.js";
import { formatHost, formatMissed } from "./publish-text.js";

export interface MasterStatusOptions extends CommonOptions, ConfigOptions {}

export async function showMasterStatus(
  options: MasterStatusOptions,
  context: CommandContext,
): Promise<number> {
  return forEachMirror(readMasterMirrors(options), context, async (mirror) => {
    const status = masterStatus(mirror);
    context.print(options.json === true ? JSON.stringify(status) : formatStatus(status));
    return Promise.resolve(DONE);
  });
}

function formatStatus(status: MasterStatus): string {
  const { mirror, head, lastCycle, withheld, waiting, missed, hosts } = status;
  const lines = [`${mirror}: ${head === undefined ? "nothing published" : formatHead(head)}`];
  if (lastCycle !== undefined) {
    const error = lastCycle.error === undefined ? "done" : `failed: ${lastCycle.error}`;
    lines.push(`  last cycle: ${toTime(lastCycle.endedAt)} ${error}`);
  }
  for (const name of withheld) lines.push(`  ${name}: withheld, its backup had errors`);
  for (const name of waiting) lines.push(`  ${name}: waits, it is still being written`);
  lines.push(...formatMissed(missed));
  lines.push(...hosts.map(formatHost));
  return lines.join("\n");
}

function formatHead(head: NonNullable<MasterStatus["head"]>): string {
  const { newest, generation, chainCount, publishedAt, expiresAt } = head;
  const chains = chainCount === 1 ? "1 chain" : `${chainCount} chains`;
  return `${newest}, generation ${generation}, ${chains}, published ${toTime(publishedAt)}, expires ${toTime(expiresAt)}`;
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
