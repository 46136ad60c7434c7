import { randomBytes } from "node:crypto";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { MASTER_DEFAULTS } from "../config/defaults.js";
import { loadMasterConfig } from "../config/master.js";
import { makeFolder } from "../disk/durable.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { formatMasterConfig, formatReplicaConfig } from "./config-text.js";
import { DONE } from "./exit-status.js";
import { refuseExisting, writeKeyPair, writeNewFile } from "./new-files.js";
import { wholeNumber } from "./option-values.js";

export interface InitMasterOptions extends CommonOptions {
  readonly tree: string;
  readonly dir: string;
  readonly name: string;
  readonly k?: string;
  readonly n?: string;
  readonly listen?: string;
}

/** Writes a config, a key pair and the folders of a master; prints the config of its replicas. */
export async function initMaster(
  options: InitMasterOptions,
  context: CommandContext,
): Promise<number> {
  const { name, listen } = options;
  const folder = path.resolve(options.dir);
  const file = path.join(folder, "master.yaml");
  const text = formatMasterConfig({
    name,
    tree: path.resolve(options.tree),
    shares: chooseShares(options),
    ...(listen === undefined ? {} : { listen }),
  });
  const mirror = loadMasterConfig(text, file).mirrors[0];
  refuseExisting([file]);
  const keys = writeKeyPair({ folder, name, seed: randomBytes(32) });
  writeNewFile(file, text, 0o644);
  if (mirror !== undefined) {
    makeFolder(mirror.repository, 0o700);
    makeFolder(mirror.stateDirectory, 0o700);
    makeFolder(mirror.publication, 0o755);
  }
  const server = listen?.startsWith("unix:") === true ? `${listen}:` : `http://${listen ?? ""}`;
  const source =
    listen === undefined
      ? pathToFileURL(path.join(folder, "publication")).href
      : `${server}/${name}`;
  const replica = formatReplicaConfig({
    name,
    tree: `/srv/mirror/${name}`,
    stateDirectory: `/var/lib/dupmirror/${name}`,
    keyFile: `/etc/dupmirror/${name}.pub`,
    sources: [source],
  });
  if (options.json === true) {
    context.print(JSON.stringify({ config: file, ...keys, replicaConfig: replica }));
  } else {
    context.print(`# A replica's config; its key file, ${name}.pub, holds: ${keys.verifierKey}`);
    context.print(replica.trimEnd());
  }
  return Promise.resolve(DONE);
}

/** One of k and n given: the other one follows with the default's parity. */
function chooseShares(options: InitMasterOptions): { readonly k: number; readonly n: number } {
  const defaults = MASTER_DEFAULTS.shares;
  const parity = defaults.n - defaults.k;
  const k = wholeNumber("--k", options.k);
  const n = wholeNumber("--n", options.n);
  if (k === undefined) return n === undefined ? defaults : { k: Math.max(1, n - parity), n };
  return { k, n: n ?? k + parity };
}
