import { loadReplicaConfig, type ReplicaMirror } from "../config/replica.js";
import type { CommonOptions } from "./command.js";
import { type ConfigOptions, chooseMirrors, readConfigText } from "./config-file.js";
import { bandwidth, milliseconds, wholeNumber } from "./option-values.js";

/** What the command line says in place of the config. */
export interface ReplicaOptions extends CommonOptions, ConfigOptions, LimitOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly maxDelete?: string;
}

/** rsync's spellings of how much, and how long, sources may take. */
export interface LimitOptions {
  readonly bwlimit?: string;
  readonly timeout?: string;
}

/** @throws MirrorError CONFIG_INVALID, USAGE */
export function readReplicaMirrors(options: ReplicaOptions): readonly ReplicaMirror[] {
  const { mirrors } = loadReplicaConfig(readConfigText(options.config), options.config);
  return chooseMirrors(mirrors, options).map((mirror) => override(mirror, options));
}

function override(mirror: ReplicaMirror, options: ReplicaOptions): ReplicaMirror {
  const maxFiles = wholeNumber("--max-delete", options.maxDelete) ?? mirror.delete.maxFiles;
  return {
    ...overrideLimits(mirror, options),
    include: options.include ?? mirror.include,
    exclude: [...mirror.exclude, ...(options.exclude ?? [])],
    delete: { ...mirror.delete, maxFiles },
  };
}

/** @throws MirrorError USAGE */
export function overrideLimits(
  mirror: ReplicaMirror,
  { bwlimit, timeout }: LimitOptions,
): ReplicaMirror {
  const idleMs = milliseconds("--timeout", timeout);
  const limit = bandwidth("--bwlimit", bwlimit) ?? mirror.bandwidth;
  return {
    ...mirror,
    limits: { ...mirror.limits, ...(idleMs !== undefined && { idleMs, firstByteMs: idleMs }) },
    ...(limit === undefined ? {} : { bandwidth: limit }),
  };
}
