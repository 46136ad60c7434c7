/** What `restore` and `reassemble` have in common: hosts are all they know, and a key if somebody has one. */
import path from "node:path";
import { loadReplicaConfig, type ReplicaMirror } from "../config/replica.js";
import { makeFolder, removeFolder, replaceFile } from "../disk/durable.js";
import { fileIdentity, isEmptyFolder } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { fingerprintKey, formatVerifierKey, type VerifierKey } from "../manifest/keys.js";
import type { Signer } from "../manifest/signed-note.js";
import { type Discovery, discover, type SourceFailure } from "../replica/discover.js";
import { readKeys } from "../replica/trusted-keys.js";
import type { Log, Runtime } from "../runtime.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { accessSection, type HostAccessOptions } from "./host-access.js";
import { toHostUrls } from "./host-list.js";
import { type LimitOptions, overrideLimits } from "./replica-mirrors.js";
import { backupState, recoveryState } from "./state-home.js";

export interface RecoveryOptions extends CommonOptions, HostAccessOptions, LimitOptions {
  readonly hosts: readonly string[];
  readonly key?: string;
  readonly state?: string;
  readonly passphraseFile?: string;
  readonly gnupgHome?: string;
  readonly allowExpired?: boolean;
}

export interface Recovery {
  readonly config: ReplicaMirror;
  /** In full: who compares it with another wants all of it. */
  readonly fingerprint: string;
  readonly isKeyOnTrust: boolean;
  /** Hosts of no use from the beginning. */
  readonly failures: readonly SourceFailure[];
  /** Says aloud only what somebody must act on: the summary tells of each host. */
  readonly runtime: Runtime;
  readonly mayBeExpired: boolean;
}

/**
 * Does `work` with a config that the hosts complete. What it keeps meanwhile is removed when it is done; of work that fails it stays,
 * so that the next call goes on.
 * @throws MirrorError USAGE; what `discover` and `work` throw, with the reason of each host when there are too few
 */
export async function recover<T>(
  options: RecoveryOptions & { readonly out: string },
  context: CommandContext,
  work: (recovery: Recovery) => Promise<T>,
): Promise<T> {
  const out = path.resolve(options.out);
  const stateDirectory = recoveryState(context, out);
  const draft = configure(options, { out, stateDirectory });
  const wasThere = fileIdentity(out) !== undefined;
  const found = await discover({
    ...context,
    config: draft,
    findKeys: (signers) => findKeys(options, context, signers),
  });
  makeFolder(stateDirectory, 0o700);
  const text = `${formatVerifierKey(found.key)}\n`;
  if (options.key === undefined) replaceFile(draft.trust.keyFile, Buffer.from(text));
  const config = { ...draft, name: found.mirror };
  const fingerprint = fingerprintKey(found.key);
  try {
    const { isOnTrust: isKeyOnTrust, failures } = found;
    const runtime = options.verbose === true ? context.runtime : calmed(context.runtime);
    const mayBeExpired = options.allowExpired === true;
    const how = { config, runtime, mayBeExpired };
    const done = await work({ ...how, fingerprint, isKeyOnTrust, failures });
    removeFolder(stateDirectory);
    return done;
  } catch (error) {
    const isOurs = !wasThere && !isMirrorError(error, "LOCKED");
    if (isOurs && isEmptyFolder(out)) removeFolder(out);
    throw withReasons(error, found);
  }
}

function calmed(runtime: Runtime): Runtime {
  const { log } = runtime;
  const debug: Log["debug"] = (event, fields) => log.debug(event, fields);
  const error: Log["error"] = (event, fields) => log.error(event, fields);
  return { ...runtime, log: { debug, info: debug, warn: debug, error } };
}

/** A config as a replica's, in memory; JSON is YAML. */
function configure(
  options: RecoveryOptions,
  { out, stateDirectory }: { readonly out: string; readonly stateDirectory: string },
): ReplicaMirror {
  const { key, passphraseFile, gnupgHome } = options;
  if (options.hosts.length === 0) {
    throw new MirrorError("USAGE", "--hosts: expected folders or URLs of the hosts that are left");
  }
  const decryption = { passphraseFile: absolute(passphraseFile), gnupgHome: absolute(gnupgHome) };
  const hasSecret = passphraseFile !== undefined || gnupgHome !== undefined;
  const mirror = {
    ...{ name: "unknown", tree: out, stateDirectory },
    trust: { keyFile: absolute(key) ?? path.join(stateDirectory, "key.pub") },
    sources: toHostUrls(options.hosts).map((url) => ({ url, ...accessSection(options, url) })),
    ...(hasSecret ? { decryption } : {}),
  };
  const [config] = loadReplicaConfig(JSON.stringify({ mirrors: [mirror] }), "--hosts").mirrors;
  if (config === undefined) throw new RangeError("a config has mirrors");
  return overrideLimits(config, options);
}

function absolute(file: string | undefined): string | undefined {
  return file === undefined ? undefined : path.resolve(file);
}

/** Of the option, or of a backup that this machine makes. */
function findKeys(
  { key, state }: RecoveryOptions,
  context: CommandContext,
  signers: readonly Signer[],
): readonly VerifierKey[] {
  if (key !== undefined) return readKeys(path.resolve(key), []);
  const files = signers.map(({ name }) =>
    path.join(state ?? backupState(context, path.basename(name)), `${path.basename(name)}.pub`),
  );
  const file = files.find((place) => fileIdentity(place) !== undefined);
  if (file !== undefined) return readKeys(file, []);
  if (state === undefined) return [];
  throw new MirrorError(
    "USAGE",
    `--state ${state}: holds no key of this backup: expected ${files.join(" or ")}`,
  );
}

/** With too few shares, what is wrong with each host that could not be asked. */
function withReasons(error: unknown, { failures }: Discovery): unknown {
  if (!isMirrorError(error, "SHARES_TOO_FEW", "NO_SOURCE") || failures.length === 0) return error;
  const lines = [error.message, ...failures.map(({ url, reason }) => `  ${url}: ${reason}`)];
  return new MirrorError(error.code, lines.join("\n"), { cause: error });
}
