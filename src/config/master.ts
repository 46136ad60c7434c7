import path from "node:path";
import type { z } from "zod";
import { MAX_K, MAX_M } from "../limits.js";
import { type AccessSettings, accessFields, checkAccess } from "./access.js";
import { checkMirrors, checkName, isInside, type Report, reportRepeated } from "./cross-checks.js";
import { MASTER_DEFAULTS } from "./defaults.js";
import {
  duration,
  flag,
  hostPath,
  hostUrl,
  integer,
  type ListenAddress,
  list,
  listenAddress,
  name,
  oneOf,
  percent,
  publicUrl,
  schedule,
  section,
  size,
  text,
  treePath,
} from "./fields.js";
import { loadConfig } from "./load.js";

export interface MasterConfig {
  readonly mirrors: readonly MasterMirror[];
}

/** One published tree; all paths are absolute. */
export interface MasterMirror {
  readonly name: string;
  readonly tree: string;
  /** The folder duplicity writes. */
  readonly repository: string;
  /** The folder of static files that sources serve. */
  readonly publication: string;
  readonly stateDirectory: string;
  readonly signing: { readonly keyFile: string };
  readonly shares: { readonly k: number; readonly n: number };
  readonly duplicity: DuplicitySettings;
  /** Cron pattern of the cycles. */
  readonly schedule?: string;
  /** Whether a change in the tree (engine `external`: in the repository) asks for a cycle. */
  readonly watch: boolean;
  readonly watchDelayMs: number;
  /** Empty: the publication itself is the one source. Together they hold each share at least once. */
  readonly hosts: readonly HostSettings[];
  /** How many shares more than k must lie at hosts before a head is published. */
  readonly hostMargin: number;
  readonly http?: { readonly listen: ListenAddress; readonly publicUrl?: string };
  readonly guard: {
    /** A file of the tree that is only there while the tree is mounted. */
    readonly marker?: string;
    readonly maxShrinkPercent: number;
  };
  readonly headLifetimeMs: number;
  readonly retain: { readonly chains: number; readonly graceMs: number };
}

export interface DuplicitySettings {
  /** `run`: we run duplicity. `external`: somebody else's duplicity writes the repository. */
  readonly engine: "run" | "external";
  readonly volumeSizeBytes: number;
  readonly fullEveryMs: number;
  /** Engine `run`: how many chains stay in the repository; no fewer than stay published. */
  readonly keepChains: number;
  readonly encryption: "none";
  readonly timeoutMs: number;
  readonly exclude: readonly string[];
}

export interface HostSettings extends AccessSettings {
  readonly name: string;
  readonly url: string;
  readonly shares: readonly number[];
  /** Where replicas read what is pushed to `url`; the head names it. */
  readonly publicUrl?: string;
}

/** @throws MirrorError CONFIG_INVALID, one problem a line, each with its place in `file`. */
export function loadMasterConfig(text: string, file: string): MasterConfig {
  return loadConfig(masterSchema(path.dirname(path.resolve(file))), text, file);
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

function masterSchema(folder: string) {
  return section({ mirrors: list(mirrorSchema(folder), 1) }).check(checkMirrors);
}

function mirrorSchema(folder: string) {
  return mirrorFields(folder).check(checkMirror).transform(toMirror);
}

function mirrorFields(folder: string) {
  const defaults = MASTER_DEFAULTS;
  return section({
    name: name().exactOptional(),
    tree: hostPath(folder),
    repository: hostPath(folder).exactOptional(),
    publication: hostPath(folder),
    stateDirectory: hostPath(folder),
    signing: section({ keyFile: hostPath(folder) }),
    shares: section({ k: integer(1, MAX_K), n: integer(1, MAX_K + MAX_M) }).default(
      defaults.shares,
    ),
    duplicity: duplicityFields(),
    schedule: schedule().exactOptional(),
    watch: flag().default(defaults.watch),
    watchDelay: duration(0, DAY_MS).default(defaults.watchDelayMs),
    hosts: list(hostFields(folder)).default([]),
    hostMargin: integer(0, MAX_M).exactOptional(),
    http: section({
      listen: listenAddress(),
      publicUrl: publicUrl().exactOptional(),
    }).exactOptional(),
    guard: section({
      marker: treePath().exactOptional(),
      maxShrinkPercent: percent().default(defaults.guard.maxShrinkPercent),
    }).prefault({}),
    headLifetime: duration(MINUTE_MS, 36_600 * DAY_MS).default(defaults.headLifetimeMs),
    retain: section({
      chains: integer(1, 1000).default(defaults.retain.chains),
      grace: duration(0, 366 * DAY_MS).default(defaults.retain.graceMs),
    }).prefault({}),
  });
}

function duplicityFields() {
  const defaults = MASTER_DEFAULTS.duplicity;
  return section({
    engine: oneOf("run", "external").default(defaults.engine),
    volumeSize: size(MIB, 4096 * MIB).default(defaults.volumeSizeBytes),
    fullEvery: duration(MINUTE_MS, 3660 * DAY_MS).default(defaults.fullEveryMs),
    keepChains: integer(1, 1000).exactOptional(),
    encryption: oneOf("none").default(defaults.encryption),
    timeout: duration(1000, 30 * DAY_MS).default(defaults.timeoutMs),
    exclude: list(text("a duplicity pattern")).default([]),
  }).prefault({});
}

function hostFields(folder: string) {
  return section({
    name: name(),
    url: hostUrl(folder),
    shares: list(integer(0, MAX_K + MAX_M - 1), 1),
    publicUrl: publicUrl().exactOptional(),
    ...accessFields(folder),
  });
}

type MirrorFields = z.output<ReturnType<typeof mirrorFields>>;

function toMirror(fields: MirrorFields): MasterMirror {
  const { name, repository, hostMargin, watchDelay, headLifetime, duplicity, retain, ...same } =
    fields;
  const { volumeSize, fullEvery, keepChains, timeout, ...duplicitySame } = duplicity;
  return {
    ...same,
    name: name ?? path.basename(fields.tree),
    repository: repository ?? path.join(fields.stateDirectory, "repository"),
    hostMargin: hostMargin ?? Math.floor((fields.shares.n - fields.shares.k) / 2),
    watchDelayMs: watchDelay,
    headLifetimeMs: headLifetime,
    duplicity: {
      ...duplicitySame,
      volumeSizeBytes: volumeSize,
      fullEveryMs: fullEvery,
      keepChains: keepChains ?? retain.chains,
      timeoutMs: timeout,
    },
    retain: { chains: retain.chains, graceMs: retain.grace },
  };
}

function checkMirror({ value, issues }: z.core.ParsePayload<MirrorFields>): void {
  const report: Report = (at, message) =>
    issues.push({ code: "custom", path: [...at], message, input: value });
  checkName(value, report);
  checkFolders(value, report);
  checkShares(value, report);
  checkHosts(value, report);
  checkKeptChains(value, report);
}

function checkKeptChains({ duplicity, retain }: MirrorFields, report: Report): void {
  const { engine, keepChains } = duplicity;
  if (keepChains === undefined) return;
  if (engine === "external") {
    report(
      ["duplicity", "keepChains"],
      "expected nothing with engine external: its owner thins it out",
    );
  } else if (keepChains < retain.chains) {
    const least = `expected at least retain.chains = ${retain.chains}`;
    report(["duplicity", "keepChains"], `${least}, got ${keepChains}`);
  }
}

function checkFolders(mirror: MirrorFields, report: Report): void {
  for (const key of ["repository", "publication", "stateDirectory"] as const) {
    const folder = mirror[key];
    if (folder !== undefined && isInside(folder, mirror.tree)) {
      report([key], `expected a folder outside the tree ${mirror.tree}, got ${folder}`);
    }
  }
  const { publication, repository } = mirror;
  if (repository === undefined) return;
  if (isInside(publication, repository) || isInside(repository, publication)) {
    report(["publication"], `expected a folder apart from the repository ${repository}`);
  }
}

function checkShares(mirror: MirrorFields, report: Report): void {
  const { k, n } = mirror.shares;
  if (n < k || n - k > MAX_M) {
    report(["shares", "n"], `expected a whole number from k = ${k} to ${k + MAX_M}, got ${n}`);
  } else if (mirror.hostMargin !== undefined && mirror.hostMargin > n - k) {
    report(["hostMargin"], `expected at most n - k = ${n - k}, got ${mirror.hostMargin}`);
  }
}

function checkHosts(mirror: MirrorFields, report: Report): void {
  const { hosts, shares } = mirror;
  if (hosts.length === 0) return;
  reportRepeated(
    hosts.map((host) => host.name),
    (number, value) =>
      report(["hosts", number, "name"], `expected a name of its own, got ${value} again`),
  );
  hosts.forEach((host, number) => checkAccess(host, ["hosts", number], report));
  hosts.forEach((host, number) =>
    host.shares.forEach((share, at) => {
      if (share >= shares.n) {
        report(
          ["hosts", number, "shares", at],
          `expected a share from 0 to ${shares.n - 1}, got ${share}`,
        );
      }
    }),
  );
  const held = new Set(hosts.flatMap((host) => host.shares));
  const missing = Array.from({ length: shares.n }, (_, share) => share).filter(
    (share) => !held.has(share),
  );
  if (missing.length > 0) {
    report(
      ["hosts"],
      `expected hosts for all ${shares.n} shares, got none for ${missing.join(", ")}`,
    );
  }
}
