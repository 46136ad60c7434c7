/** Cycles inside the test process, for tests that need hundreds of them. */
import { readFileSync } from "node:fs";
import { exitStatusOf } from "../../src/cli/exit-status.js";
import { loadReplicaConfig } from "../../src/config/replica.js";
import { isMirrorError } from "../../src/errors.js";
import { syncOnce } from "../../src/replica/cycle.js";
import type { Runtime } from "../../src/runtime.js";
import type { Replica } from "./workspace.js";

export type SyncOutcome =
  | { readonly kind: "synced" }
  | { readonly kind: "refused"; readonly exitCode: number; readonly message: string };

/** One cycle of `replica sync`; what is not a `MirrorError` is a fault of the program and is thrown. */
export async function syncInProcess(replica: Replica): Promise<SyncOutcome> {
  const config = loadReplicaConfig(readFileSync(replica.configFile, "utf8"), replica.configFile);
  const [mirror] = config.mirrors;
  if (mirror === undefined) throw new Error("the configuration names no mirror");
  try {
    await syncOnce({
      config: mirror,
      runtime: quietRuntime(),
      signal: new AbortController().signal,
    });
    return { kind: "synced" };
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    return { kind: "refused", exitCode: exitStatusOf(error.code), message: error.message };
  }
}

function quietRuntime(): Runtime {
  const silent = () => undefined;
  return {
    clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
    log: { debug: silent, info: silent, warn: silent, error: silent },
    random: () => 0.5,
    progress: silent,
  };
}
