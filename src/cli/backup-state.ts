/** The state directory of a backup: an ordinary master's config, keys and folders, which `backup` writes and keeps. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { changeMirror, type HostSection, readHostSections } from "../config/change.js";
import { isInside } from "../config/cross-checks.js";
import { isName } from "../config/fields.js";
import { loadMasterConfig, type MasterMirror } from "../config/master.js";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { fileIdentity } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { formatVerifierKey } from "../manifest/keys.js";
import { readSigningKey } from "../master/signing-key.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { readConfigText } from "./config-file.js";
import { formatBackupConfig } from "./config-text.js";
import { accessSection, type HostAccessOptions, hasAccess } from "./host-access.js";
import { assignShares, type ListedHost, toHostUrls } from "./host-list.js";
import { writeKeyPair } from "./new-files.js";
import { wholeNumber } from "./option-values.js";
import { backupState } from "./state-home.js";

export interface BackupSettings extends CommonOptions, HostAccessOptions {
  readonly tree: string;
  /** None: those of the last call. */
  readonly hosts?: readonly string[];
  readonly k?: string;
  readonly n?: string;
  readonly keep?: string;
  readonly exclude?: readonly string[];
  readonly allowFewerHosts?: boolean;
  readonly state?: string;
  readonly name?: string;
}

/**
 * The backup as its last call left it, with what `options` change. Nothing is written unless all of it is good.
 * @throws MirrorError USAGE, CONFIG_INVALID
 */
export function openBackup(options: BackupSettings, context: CommandContext): MasterMirror {
  const tree = path.resolve(options.tree);
  const folder = chooseFolder(options, tree, context);
  const file = path.join(folder, "master.yaml");
  const isNew = fileIdentity(file) === undefined;
  const name = options.name ?? path.basename(tree);
  const before = isNew ? formatBackupConfig({ name, tree }) : readConfigText(file);
  const known = isNew ? undefined : loadMasterConfig(before, file).mirrors[0];
  if (known !== undefined) checkSame(known, { tree, options, folder });
  const text = changeMirror(before, file, chooseChanges(options, { known, before, file }));
  const [mirror] = loadMasterConfig(text, file).mirrors;
  if (mirror === undefined) throw new RangeError("a config has mirrors");
  if (known === undefined) writeKeys(mirror, folder);
  if (isNew || text !== before) replaceFile(file, Buffer.from(text), { mode: 0o600 });
  return mirror;
}

function chooseFolder(options: BackupSettings, tree: string, context: CommandContext): string {
  const name = options.name ?? path.basename(tree);
  if (!isName(name)) {
    const expected = "expected letters, digits, dots, dashes and underscores";
    throw new MirrorError("USAGE", `--name: ${expected}, got ${JSON.stringify(name)}`);
  }
  const folder =
    options.state === undefined ? backupState(context, name) : path.resolve(options.state);
  if (!isInside(folder, tree)) return folder;
  const what = `the state directory ${folder} lies in the tree that is backed up`;
  throw new MirrorError("USAGE", `${what}: choose another with --state`);
}

function checkSame(
  known: MasterMirror,
  given: { readonly tree: string; readonly options: BackupSettings; readonly folder: string },
): void {
  const { tree, options, folder } = given;
  if (known.tree !== tree) {
    const what = `${folder} holds the backup of ${known.tree}`;
    throw new MirrorError("USAGE", `${what}: give that of ${tree} another --name or --state`);
  }
  if (options.name !== undefined && options.name !== known.name) {
    const what = `${folder} holds the backup ${known.name}`;
    throw new MirrorError("USAGE", `${what}: give the backup ${options.name} another --state`);
  }
}

/** What the command line says anew; the rest stays as it is. */
function chooseChanges(
  options: BackupSettings,
  past: {
    readonly known: MasterMirror | undefined;
    readonly before: string;
    readonly file: string;
  },
): Readonly<Record<string, unknown>> {
  const { known, before, file } = past;
  const urls = toHostUrls(options.hosts ?? []);
  const keep = wholeNumber("--keep", options.keep);
  const more = { "retain.chains": keep, "duplicity.exclude": options.exclude };
  if (known !== undefined && !isSpreadChanged(options, urls, known)) return more;
  if (urls.length === 0 && known === undefined) {
    throw new MirrorError("USAGE", "--hosts: expected folders or URLs for the first backup");
  }
  const hostUrls = urls.length > 0 ? urls : (known?.hosts.map(({ url }) => url) ?? []);
  checkOutside(hostUrls, path.resolve(options.tree));
  const shares = chooseShares(options, known?.shares, hostUrls.length);
  const mayBeFewer = options.allowFewerHosts === true;
  const listed = assignShares(hostUrls, { ...shares, mayBeFewer });
  return { ...more, shares, hosts: mergeHosts(listed, readHostSections(before, file), options) };
}

function isSpreadChanged(
  options: BackupSettings,
  urls: readonly string[],
  known: MasterMirror,
): boolean {
  if (options.k !== undefined || options.n !== undefined || hasAccess(options)) return true;
  return urls.length > 0 && urls.join(" ") !== known.hosts.map(({ url }) => url).join(" ");
}

function chooseShares(
  options: BackupSettings,
  known: MasterMirror["shares"] | undefined,
  hostCount: number,
): MasterMirror["shares"] {
  const k = wholeNumber("-k", options.k) ?? known?.k;
  const n = wholeNumber("-n", options.n) ?? known?.n ?? hostCount;
  if (k !== undefined) return { k, n };
  throw new MirrorError("USAGE", "-k: expected how many hosts shall suffice for a restore");
}

/** A backup of itself would never end. */
function checkOutside(urls: readonly string[], tree: string): void {
  const folders = urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url));
  const inside = folders.find((folder) => isInside(folder, tree));
  if (inside === undefined) return;
  throw new MirrorError("USAGE", `--hosts: ${inside} lies in the tree that is backed up`);
}

/** A host that was there before keeps what else its owner wrote of it. */
function mergeHosts(
  listed: readonly ListedHost[],
  sections: readonly HostSection[],
  access: HostAccessOptions,
): HostSection[] {
  return listed.map((host) => {
    const before = sections.find(({ url }) => url === host.url);
    const shares = [...host.shares];
    return { ...before, ...host, shares, ...accessSection(access, host.url) };
  });
}

/** A first call that was cut off may have made them. */
function writeKeys({ name, signing }: MasterMirror, folder: string): void {
  makeFolder(folder, 0o700);
  if (fileIdentity(signing.keyFile) === undefined) {
    writeKeyPair({ folder, name, seed: randomBytes(32) });
  } else {
    const { verifier } = readSigningKey(signing.keyFile);
    replaceFile(path.join(folder, `${name}.pub`), Buffer.from(`${formatVerifierKey(verifier)}\n`));
  }
}
