import path from "node:path";
import { z } from "zod";
import type { Timetable } from "../bytes/timetable.js";
import { MAX_K, MAX_M } from "../limits.js";
import { type AccessSettings, accessFields, checkAccess } from "./access.js";
import { bandwidth } from "./bandwidth.js";
import { checkMirrors, checkName, isInside, type Report, reportRepeated } from "./cross-checks.js";
import { defaultOwners, REPLICA_DEFAULTS } from "./defaults.js";
import {
  duration,
  flag,
  hostPath,
  integer,
  list,
  name,
  oneOf,
  percent,
  schedule,
  section,
  size,
  sourceUrl,
  text,
} from "./fields.js";
import { loadConfig } from "./load.js";

export interface ReplicaConfig {
  readonly mirrors: readonly ReplicaMirror[];
}

/** One followed tree; all paths are absolute. */
export interface ReplicaMirror {
  /** The name that the master gave the mirror. */
  readonly name: string;
  readonly tree: string;
  readonly stateDirectory: string;
  readonly trust: { readonly keyFile: string };
  /** What sets of an encrypted repository are decrypted with: at least one of the two. */
  readonly decryption?: { readonly passphraseFile?: string; readonly gnupgHome?: string };
  readonly sources: readonly SourceSettings[];
  /** Patterns of what is mirrored; empty: everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** `jitter` is the part of `everyMs`, from 0 to 1, by which a poll may come earlier or later. */
  readonly poll: { readonly everyMs: number; readonly jitter: number };
  /** A cycle that would delete more stops before it deletes anything; `protect` is never touched. */
  readonly delete: {
    readonly maxPercent: number;
    readonly maxFiles: number;
    readonly protect: readonly string[];
  };
  /** When the daemon compares the tree with its set, and whether it mends what it finds. */
  readonly verify: { readonly schedule?: string; readonly repair: boolean };
  /** Patterns of the files that are put in place after all others. */
  readonly publishLast: readonly string[];
  readonly owners: "numeric" | "names" | "none";
  readonly limits: SourceLimits;
  /** Over all sources. */
  readonly bandwidth?: Timetable;
}

export interface SourceSettings extends AccessSettings {
  /** Without a slash at its end. */
  readonly url: string;
  readonly name?: string;
  /** Absent: unknown, the head or the source itself tells. */
  readonly shares?: readonly number[];
  /** Whether HTTP/2 is spoken where the server offers it. */
  readonly http2?: boolean;
}

/** Each is counted by itself. */
export interface SourceLimits {
  /** Until a connection stands, TLS and all. */
  readonly connectMs: number;
  /** From the request to the beginning of its answer. */
  readonly firstByteMs: number;
  /** Between two pieces of an answer. */
  readonly idleMs: number;
  /** For one request, with all that it takes. */
  readonly totalMs: number;
  /** A source that is slower for `idleMs` is given up. */
  readonly lowSpeedBytesPerSecond: number;
}

/** @throws MirrorError CONFIG_INVALID, one problem a line, each with its place in `file`. */
export function loadReplicaConfig(text: string, file: string): ReplicaConfig {
  return loadConfig(replicaSchema(path.dirname(path.resolve(file))), text, file);
}

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

function replicaSchema(folder: string) {
  return section({ mirrors: list(mirrorSchema(folder), 1) }).check(checkMirrors);
}

function mirrorSchema(folder: string) {
  return mirrorFields(folder).check(checkMirror).transform(toMirror);
}

function mirrorFields(folder: string) {
  const defaults = REPLICA_DEFAULTS;
  return section({
    name: name().exactOptional(),
    tree: hostPath(folder),
    stateDirectory: hostPath(folder),
    trust: section({ keyFile: hostPath(folder) }),
    decryption: section({
      passphraseFile: hostPath(folder).exactOptional(),
      gnupgHome: hostPath(folder).exactOptional(),
    }).exactOptional(),
    sources: list(sourceFields(folder), 1),
    include: patterns().default([]),
    exclude: patterns().default([]),
    poll: section({
      every: duration(SECOND_MS, 30 * DAY_MS).default(defaults.poll.everyMs),
      jitter: percent().default(defaults.poll.jitter * 100),
    }).prefault({}),
    delete: section({
      maxPercent: percent().default(defaults.delete.maxPercent),
      maxFiles: integer(0, Number.MAX_SAFE_INTEGER).default(defaults.delete.maxFiles),
      protect: patterns().default([]),
    }).prefault({}),
    verify: section({
      schedule: schedule().exactOptional(),
      repair: flag().default(defaults.verify.repair),
    }).prefault({}),
    publishLast: patterns().default([...defaults.publishLast]),
    owners: oneOf("numeric", "names", "none").exactOptional(),
    limits: limitFields(),
    bandwidth: bandwidth().exactOptional(),
  });
}

function sourceFields(folder: string) {
  const fields = section({
    url: sourceUrl(folder),
    name: name().exactOptional(),
    shares: list(integer(0, MAX_K + MAX_M - 1)).exactOptional(),
    ...accessFields(folder),
    http2: flag().exactOptional(),
  });
  return z.preprocess(
    (value) => (typeof value === "object" && value !== null ? value : { url: value }),
    fields,
  );
}

function limitFields() {
  const defaults = REPLICA_DEFAULTS.limits;
  return section({
    connect: duration(100, DAY_MS).default(defaults.connectMs),
    firstByte: duration(100, DAY_MS).default(defaults.firstByteMs),
    idle: duration(100, DAY_MS).default(defaults.idleMs),
    total: duration(100, DAY_MS).default(defaults.totalMs),
    lowSpeed: size(0, Number.MAX_SAFE_INTEGER).default(defaults.lowSpeedBytesPerSecond),
  }).prefault({});
}

function patterns() {
  return list(text("a pattern"));
}

type MirrorFields = z.output<ReturnType<typeof mirrorFields>>;

function toMirror(fields: MirrorFields): ReplicaMirror {
  const { poll, limits } = fields;
  return {
    ...fields,
    name: fields.name ?? path.basename(fields.tree),
    owners: fields.owners ?? defaultOwners(),
    poll: { everyMs: poll.every, jitter: poll.jitter / 100 },
    limits: {
      connectMs: limits.connect,
      firstByteMs: limits.firstByte,
      idleMs: limits.idle,
      totalMs: limits.total,
      lowSpeedBytesPerSecond: limits.lowSpeed,
    },
  };
}

function checkMirror({ value, issues }: z.core.ParsePayload<MirrorFields>): void {
  const report: Report = (at, message) =>
    issues.push({ code: "custom", path: [...at], message, input: value });
  checkName(value, report);
  if (isInside(value.stateDirectory, value.tree)) {
    report(
      ["stateDirectory"],
      `expected a folder outside the tree ${value.tree}, got ${value.stateDirectory}`,
    );
  }
  const { decryption } = value;
  if (decryption !== undefined && Object.keys(decryption).length === 0) {
    report(["decryption"], "expected passphraseFile, gnupgHome or both, got neither");
  }
  for (const [number, source] of value.sources.entries()) {
    checkAccess(source, ["sources", number], report);
    if (source.http2 === true && !source.url.startsWith("https:")) {
      report(
        ["sources", number, "http2"],
        `expected nothing without https, got it for ${source.url}`,
      );
    }
  }
  reportRepeated(
    value.sources.map((source) => source.url),
    (number, url) =>
      report(["sources", number, "url"], `expected another source, got ${url} again`),
  );
}
