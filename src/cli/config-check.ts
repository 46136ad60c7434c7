import { configKind } from "../config/kind.js";
import { loadMasterConfig } from "../config/master.js";
import { loadReplicaConfig } from "../config/replica.js";
import { readFileIfPresent } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { parseSigningKey, parseVerifierKey } from "../manifest/keys.js";
import { type Access, readCredentials } from "../store/access.js";
import { type CommandContext, type CommonOptions } from "./command.js";
import { readConfigText } from "./config-file.js";
import { DONE } from "./exit-status.js";

export interface ConfigCheckOptions extends CommonOptions {
  readonly file: string;
}

/** Checks a config, its schedules, and the keys and secrets that it names; changes nothing. */
export async function checkConfig(
  options: ConfigCheckOptions,
  context: CommandContext,
): Promise<number> {
  const { file } = options;
  const text = readConfigText(file);
  const kind = configKind(text, file);
  const mirrors = kind === "master" ? checkMaster(text, file) : checkReplica(text, file);
  await checkSchedules(mirrors, file);
  const names = mirrors.map(({ name }) => name);
  if (options.json === true) context.print(JSON.stringify({ file, kind, mirrors: names }));
  else if (options.quiet !== true) context.print(`${file}: ok, ${kind} of ${names.join(", ")}`);
  return DONE;
}

interface Checked {
  readonly name: string;
  readonly schedule: string | undefined;
}

function checkMaster(text: string, file: string): Checked[] {
  return loadMasterConfig(text, file).mirrors.map(({ name, signing, schedule, hosts }) => {
    checkKey(signing.keyFile, `${file}: ${name}: signing.keyFile`, parseSigningKey);
    for (const host of hosts) checkSecrets(host, `${file}: ${name}: hosts: ${host.name}`);
    return { name, schedule };
  });
}

function checkReplica(text: string, file: string): Checked[] {
  return loadReplicaConfig(text, file).mirrors.map(({ name, trust, verify, sources }) => {
    checkKey(trust.keyFile, `${file}: ${name}: trust.keyFile`, parseVerifierKey);
    for (const source of sources) checkSecrets(source, `${file}: ${name}: sources: ${source.url}`);
    return { name, schedule: verify.schedule };
  });
}

function checkKey(keyFile: string, where: string, parse: (text: string) => unknown): void {
  const bytes = readFileIfPresent(keyFile);
  if (bytes === undefined) {
    throw new MirrorError("CONFIG_INVALID", `${where}: expected a key, got no file ${keyFile}`);
  }
  parse(Buffer.from(bytes).toString("utf8"));
}

function checkSecrets(access: Access, where: string): void {
  try {
    readCredentials(access);
  } catch (cause) {
    if (!isMirrorError(cause)) throw cause;
    throw new MirrorError(cause.code, `${where}: ${cause.message}`, { cause });
  }
}

async function checkSchedules(mirrors: readonly Checked[], file: string): Promise<void> {
  const patterns = mirrors.flatMap(({ schedule }) => (schedule === undefined ? [] : [schedule]));
  if (patterns.length === 0) return;
  const { checkSchedule } = await import("../daemon/schedule.js");
  for (const pattern of patterns) checkSchedule(pattern, `${file}: schedule`);
}
