import { formatSize } from "../bytes/units.js";
import { type ReplicaStatus, replicaStatus } from "../replica/status.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE } from "./exit-status.js";
import { readReplicaMirrors } from "./replica-mirrors.js";
import { formatHold } from "./sync-text.js";

export interface ReplicaStatusOptions extends CommonOptions, ConfigOptions {}

export async function showReplicaStatus(
  options: ReplicaStatusOptions,
  context: CommandContext,
): Promise<number> {
  const { runtime, print } = context;
  return forEachMirror(readReplicaMirrors(options), context, async (mirror) => {
    const status = replicaStatus(mirror, runtime.clock);
    print(options.json === true ? JSON.stringify(status) : formatStatus(status));
    return Promise.resolve(DONE);
  });
}

function formatStatus(status: ReplicaStatus): string {
  const { mirror, tree, position, entryCount, head, isCurrent, held, lastCycle } = status;
  const { unfinished, lastVerify, verify } = status;
  const behind = held === undefined ? "behind" : "held";
  const objects = entryCount === undefined ? "" : `, ${entryCount} objects`;
  const lines = [
    `${mirror}: ${isCurrent ? "current" : behind}`,
    `  tree: ${tree}`,
    `  position: ${position?.set ?? "none"}${objects}`,
    ...(held === undefined ? [] : [`  ${formatHold(held)}`]),
    `  head: ${head === undefined ? "none seen yet" : formatHead(head)}`,
    ...(unfinished === undefined ? [] : [`  unfinished: ${formatUnfinished(unfinished)}`]),
    `  last cycle: ${lastCycle === undefined ? "none by a daemon" : formatCycle(lastCycle)}`,
    `  last verify: ${lastVerify === undefined ? "none" : formatVerify(lastVerify)}`,
    ...(verify === undefined ? [] : [`  verify: ${formatProgress(verify)}`]),
  ];
  return lines.join("\n");
}

function formatHead(head: NonNullable<ReplicaStatus["head"]>): string {
  const expiry = head.isExpired ? "EXPIRED" : "expires";
  return `${head.newest}, generation ${head.generation}, published ${head.publishedAt}, ${expiry} ${head.expiresAt}`;
}

function formatUnfinished(build: NonNullable<ReplicaStatus["unfinished"]>): string {
  const { set, stagedBytes, totalBytes } = build;
  return `${set}, ${formatSize(stagedBytes)} of ${formatSize(totalBytes)} staged`;
}

function formatCycle({ at, outcome }: NonNullable<ReplicaStatus["lastCycle"]>): string {
  const what = outcome.kind === "done" ? outcome.strategy : `${outcome.code}: ${outcome.reason}`;
  return `${new Date(at).toISOString()} ${outcome.kind}, ${what}`;
}

function formatVerify({ at, outcome }: NonNullable<ReplicaStatus["lastVerify"]>): string {
  const time = new Date(at).toISOString();
  if (outcome.kind === "failed") return `${time} failed, ${outcome.code}: ${outcome.reason}`;
  const { set, entries, damaged, isRight } = outcome;
  const mended = isRight ? "mended" : "NOT MENDED";
  const found = damaged === 0 ? "all right" : `${damaged} damaged, ${mended}`;
  return `${time} at ${set}, ${entries} objects, ${found}`;
}

function formatProgress(verify: NonNullable<ReplicaStatus["verify"]>): string {
  const { startedAt, entries, damaged } = verify;
  return `begun ${startedAt}, ${entries} objects so far, ${damaged} damaged`;
}
