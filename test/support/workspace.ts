/** A master and its replicas in one folder, configured by files as an operator writes them. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { dupmirrorWorks, parseSyncReport, type SyncReport } from "./cli.js";

export interface Master {
  readonly configFile: string;
  readonly tree: string;
  readonly repository: string;
  readonly publication: string;
  readonly stateDirectory: string;
  /** The verifier key that replicas trust. */
  readonly keyFile: string;
  readonly hosts: readonly Host[];
  /** What a replica lists as sources: the hosts, or the publication where there are none. */
  readonly sources: readonly string[];
}

export interface Host {
  readonly name: string;
  readonly folder: string;
  readonly url: string;
}

export interface Replica {
  readonly configFile: string;
  readonly tree: string;
  readonly stateDirectory: string;
}

interface MasterOptions {
  readonly tree: string;
  readonly k?: number;
  readonly n?: number;
  /** Repository written by somebody else's duplicity. */
  readonly externalRepository?: string;
  /** A host for each of the n shares, instead of the publication alone. */
  readonly withHosts?: boolean;
  /** Further keys of the mirror, over those written here. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Makes keys with `init master`, then writes a configuration of our own beside them. */
export async function makeMaster(folder: string, options: MasterOptions): Promise<Master> {
  const { k = 2, n = 3 } = options;
  mkdirSync(folder, { recursive: true });
  mkdirSync(options.tree, { recursive: true });
  await dupmirrorWorks([
    "init",
    "master",
    "--tree",
    options.tree,
    "--dir",
    folder,
    "--k",
    `${k}`,
    "--n",
    `${n}`,
  ]);
  const hosts = options.withHosts === true ? makeHosts(folder, n) : [];
  const publication = path.join(folder, "publication");
  const master: Master = {
    configFile: path.join(folder, "master-under-test.yaml"),
    tree: options.tree,
    repository: options.externalRepository ?? path.join(folder, "repository"),
    publication,
    stateDirectory: path.join(folder, "state"),
    keyFile: path.join(folder, "pub.pub"),
    hosts,
    sources: hosts.length > 0 ? hosts.map((host) => host.url) : [fileUrl(publication)],
  };
  for (const made of [master.repository, publication, master.stateDirectory]) {
    mkdirSync(made, { recursive: true });
  }
  writeFileSync(master.configFile, stringify({ mirrors: [mirrorOf(master, { k, n }, options)] }));
  return master;
}

/** One `master publish`, which must succeed. */
export async function publish(master: Master, ...words: readonly string[]): Promise<void> {
  await dupmirrorWorks(["master", "publish", "-c", master.configFile, ...words]);
}

/** A replica that knows only `sources` and has nothing yet. */
export function makeReplica(
  folder: string,
  options: {
    readonly sources: readonly string[];
    readonly keyFile: string;
    readonly more?: Readonly<Record<string, unknown>>;
  },
): Replica {
  const replica: Replica = {
    configFile: path.join(folder, "replica.yaml"),
    tree: path.join(folder, "tree"),
    stateDirectory: path.join(folder, "state"),
  };
  mkdirSync(replica.stateDirectory, { recursive: true });
  mkdirSync(replica.tree, { recursive: true });
  pointReplica(replica, options);
  return replica;
}

/** Writes the replica's configuration anew, with other sources say. */
export function pointReplica(
  replica: Replica,
  options: {
    readonly sources: readonly string[];
    readonly keyFile: string;
    readonly more?: Readonly<Record<string, unknown>>;
  },
): void {
  const mirror = {
    name: "pub",
    tree: replica.tree,
    stateDirectory: replica.stateDirectory,
    trust: { keyFile: options.keyFile },
    sources: options.sources,
    delete: { maxPercent: 100, maxFiles: 1_000_000 },
    ...options.more,
  };
  writeFileSync(replica.configFile, stringify({ mirrors: [mirror] }));
}

/** One `replica sync --json`, which must succeed. */
export async function sync(replica: Replica): Promise<SyncReport> {
  return parseSyncReport(
    await dupmirrorWorks(["replica", "sync", "--json", "-c", replica.configFile]),
  );
}

/** A copy of what the master has published so far, as a source that stays as it is. */
export function copyPublication(master: Master, folder: string): string {
  cpSync(master.publication, folder, { recursive: true, preserveTimestamps: true });
  return fileUrl(folder);
}

/** Takes hosts off the machine; the function that comes back puts them there again. */
export function removeHosts(hosts: readonly Host[]): () => void {
  const gone = hosts.filter((host) => existsSync(host.folder));
  for (const host of gone) renameSync(host.folder, `${host.folder}.gone`);
  return () => {
    for (const host of gone) renameSync(`${host.folder}.gone`, host.folder);
  };
}

export function fileUrl(folder: string): string {
  return pathToFileURL(folder).href;
}

/** The generation that a publication's head claims: the head is text that people can read. */
export function generationOf(publication: string): number {
  const found = /"generation"\s*:\s*(\d+)/.exec(
    readFileSync(path.join(publication, "head"), "utf8"),
  );
  return found?.[1] === undefined ? 0 : Number.parseInt(found[1], 10);
}

function makeHosts(folder: string, n: number): Host[] {
  return Array.from({ length: n }, (_, share) => {
    const host = path.join(folder, `host-${share}`);
    mkdirSync(host);
    return { name: `host-${share}`, folder: host, url: fileUrl(host) };
  });
}

function mirrorOf(
  master: Master,
  shape: { readonly k: number; readonly n: number },
  options: MasterOptions,
): Record<string, unknown> {
  const engine = options.externalRepository === undefined ? "run" : "external";
  const hosts = master.hosts.map((host, share) => ({
    name: host.name,
    url: host.url,
    shares: [share],
  }));
  return {
    name: "pub",
    tree: master.tree,
    repository: master.repository,
    publication: master.publication,
    stateDirectory: master.stateDirectory,
    signing: { keyFile: path.join(path.dirname(master.configFile), "pub.key") },
    shares: shape,
    duplicity: { engine, volumeSize: "25 MiB" },
    ...(hosts.length > 0 ? { hosts } : {}),
    ...options.more,
  };
}
