import path from "node:path";
import { loadReplicaConfig } from "../config/replica.js";
import { makeFolder } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { parseVerifierKey } from "../manifest/keys.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { formatReplicaConfig } from "./config-text.js";
import { DONE } from "./exit-status.js";
import { writeNewFile } from "./new-files.js";

export interface InitReplicaOptions extends CommonOptions {
  readonly tree: string;
  readonly dir: string;
  readonly source: readonly string[];
  readonly key: string;
  readonly name?: string;
}

/** Writes a replica's config and its state directory. */
export async function initReplica(
  options: InitReplicaOptions,
  context: CommandContext,
): Promise<number> {
  const folder = path.resolve(options.dir);
  const keyFile = path.resolve(options.key);
  const bytes = readFileIfPresent(keyFile);
  if (bytes === undefined) throw new MirrorError("USAGE", `--key: no file ${keyFile}`);
  const key = parseVerifierKey(Buffer.from(bytes).toString("utf8"));
  const file = path.join(folder, "replica.yaml");
  const text = formatReplicaConfig({
    name: options.name ?? key.name,
    tree: path.resolve(options.tree),
    stateDirectory: path.join(folder, "state"),
    keyFile,
    sources: options.source,
  });
  const mirrors = loadReplicaConfig(text, file).mirrors;
  writeNewFile(file, text, 0o644);
  for (const { stateDirectory } of mirrors) makeFolder(stateDirectory, 0o700);
  if (options.json === true) context.print(JSON.stringify({ config: file }));
  else if (options.quiet !== true) context.print(`wrote ${file}`);
  return Promise.resolve(DONE);
}
