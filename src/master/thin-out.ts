/** Deletes chains from our own repository that nothing needs any more. */
import type { MasterMirror } from "../config/master.js";
import type { Head } from "../manifest/head.js";
import { removeOldChains } from "../programs/duplicity.js";
import type { Runtime } from "../runtime.js";
import { placesOf } from "./back-up.js";
import { readRepository } from "./repository.js";

/**
 * Does nothing before the newest chain is published, so that a chain whose backup has errors drives out no good one; and leaves
 * all chains that `head` names, whatever else lies between them.
 * @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function thinOutRepository(options: {
  readonly config: MasterMirror;
  readonly head: Head | undefined;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { config, head, runtime, signal } = options;
  const { engine, keepChains, timeoutMs } = config.duplicity;
  if (engine === "external" || head === undefined) return;
  const times = readRepository(config.repository).chains.map(({ full }) => full.id.time);
  if (times.at(-1) !== head.newest.chain) return;
  const oldestNamed = Math.min(...head.ledgers.map(({ chain }) => chain));
  const keep = Math.max(keepChains, times.filter((time) => time >= oldestNamed).length);
  if (times.length <= keep) return;
  await removeOldChains({ ...placesOf(config), keep, timeoutMs, signal });
  const deleted = times.length - keep;
  runtime.log.info("repository.thinned", { mirror: config.name, deleted, kept: keep });
}
