import { loadReplicaConfig, type ReplicaMirror } from "../config/replica.js";
import type { CommonOptions } from "./command.js";
import { type ConfigOptions, chooseMirrors, readConfigText } from "./config-file.js";
import { bandwidth, milliseconds, wholeNumber } from "./option-values.js";

/** What the command line says in place of the config. */
export interface ReplicaOptions extends CommonOptions, ConfigOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly maxDelete?: string;
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
  const idleMs = milliseconds("--timeout", options.timeout);
  const limit = bandwidth("--bwlimit", options.bwlimit) ?? mirror.bandwidth;
  return {
    ...mirror,
    include: options.include ?? mirror.include,
    exclude: [...mirror.exclude, ...(options.exclude ?? [])],
    delete: { ...mirror.delete, maxFiles },
    limits: { ...mirror.limits, ...(idleMs !== undefined && { idleMs, firstByteMs: idleMs }) },
    ...(limit === undefined ? {} : { bandwidth: limit }),
  };
}
