/** The repository as it lies there: its chains, and the sets that are whole. */
import path from "node:path";
import { sha256Chunks, toBase64url } from "../bytes/digest.js";
import { fileIdentity, listFolder, readFileIfPresent, streamFile } from "../disk/files.js";
import { buildChains, type Chain, groupSets, type RepositorySet } from "../duplicity/chains.js";
import { type DuplicityManifest, parseManifest } from "../duplicity/manifest.js";
import { formatSetName, parseFileName, type RepositoryFile } from "../duplicity/names.js";
import { isMirrorError, MirrorError } from "../errors.js";

export interface Repository {
  readonly folder: string;
  /** By the time of their full set. */
  readonly chains: readonly Chain[];
}

/** A set whose every file is there. */
export interface WholeSet {
  readonly name: string;
  readonly isIncrement: boolean;
  readonly set: RepositorySet;
  readonly manifestFile: RepositoryFile;
  /** Absent when it is encrypted. */
  readonly manifest: DuplicityManifest | undefined;
  /** Whether what its volumes hold is known only to who can decrypt them. */
  readonly isEncrypted: boolean;
  /** From 1 to the last that the manifest lists, or that is there when nobody here can read the manifest. */
  readonly volumes: readonly RepositoryFile[];
}

export function readRepository(folder: string): Repository {
  const files: RepositoryFile[] = [];
  for (const name of listFolder(folder)) {
    const file = parseFileName(name);
    if (file !== undefined && !file.partial) files.push(file);
  }
  const { chains } = buildChains(groupSets(files));
  return { folder, chains: chains.toSorted((a, b) => a.full.id.time - b.full.id.time) };
}

/** The end time of the newest set; 0 when there is none. */
export function newestTime({ chains }: Repository): number {
  const sets = chains.flatMap(setsOfChain);
  return sets.reduce((newest, set) => Math.max(newest, set.id.time), 0);
}

/** Names of the sets that ended after `time`. */
export function setsAfter({ chains }: Repository, time: number): string[] {
  const sets = chains.flatMap(setsOfChain).filter((set) => set.id.time > time);
  return sets.map((set) => formatSetName(set.id));
}

/**
 * Reads a set's manifest and finds its volumes.
 * @returns undefined while somebody may still be writing the set
 * @throws MirrorError REPOSITORY_INVALID
 */
export function openSet(folder: string, set: RepositorySet, now: number): WholeSet | undefined {
  const name = formatSetName(set.id);
  const manifestFile = set.manifest;
  if (manifestFile === undefined) return undefined;
  const isIncrement = set.id.kind === "increment";
  const isEncrypted = manifestFile.wrapping === "gpg";
  const others = set.signatures === undefined ? set.volumes : [set.signatures, ...set.volumes];
  const odd = others.find((file) => (file.wrapping === "gpg") !== isEncrypted);
  if (odd !== undefined)
    refuse(name, `of its files ${manifestFile.name} and ${odd.name}, only one is encrypted`);
  const whole = { name, isIncrement, set, manifestFile, isEncrypted };
  if (isEncrypted) return { ...whole, manifest: undefined, volumes: everyVolume(name, set) };
  const bytes = readFileIfPresent(path.join(folder, manifestFile.name));
  if (bytes === undefined) return undefined;
  const manifest = parseWhole(bytes);
  if (manifest === undefined) {
    if (isSettled(folder, manifestFile, now)) refuse(name, "its manifest is not whole");
    return undefined;
  }
  return { ...whole, manifest, volumes: findVolumes(name, manifest, set) };
}

/** Whether a file has not been written to for long enough to be what its writer wanted it to be. */
function isSettled(folder: string, file: RepositoryFile, now: number): boolean {
  const identity = fileIdentity(path.join(folder, file.name));
  if (identity === undefined) return false;
  return now - Number(identity.mtimeNs / 1_000_000n) > SETTLED_MS;
}

/** What a file is now; another value later tells that it was written to meanwhile. */
export function fingerprint(folder: string, file: RepositoryFile): string {
  const identity = fileIdentity(path.join(folder, file.name));
  if (identity === undefined) return "absent";
  return `${identity.sizeBytes} ${identity.mtimeNs} ${identity.inode}`;
}

/** SHA-256 of each manifest, by set name, of those `sets` that are there; from `cache` where the file did not change. */
export async function hashManifests(
  repository: Repository,
  wanted: ReadonlySet<string>,
  options: { readonly cache: Map<string, string>; readonly signal: AbortSignal },
): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const set of repository.chains.flatMap(setsWithForks)) {
    const name = formatSetName(set.id);
    if (set.manifest === undefined || !wanted.has(name)) continue;
    const key = `${set.manifest.name} ${fingerprint(repository.folder, set.manifest)}`;
    const file = path.join(repository.folder, set.manifest.name);
    const hash =
      options.cache.get(key) ?? toBase64url(await sha256Chunks(streamFile(file, options)));
    options.cache.set(key, hash);
    hashes.set(name, hash);
  }
  return hashes;
}

/** A file system's clock and ours may differ, and a network file system caches attributes for some seconds. */
const SETTLED_MS = 10_000;

function setsOfChain(chain: Chain): readonly RepositorySet[] {
  return [chain.full, ...chain.increments];
}

function setsWithForks(chain: Chain): readonly RepositorySet[] {
  return [...setsOfChain(chain), ...chain.forked];
}

function parseWhole(bytes: Uint8Array): DuplicityManifest | undefined {
  try {
    return parseManifest(bytes);
  } catch (error) {
    if (isMirrorError(error, "FORMAT_INVALID")) return undefined;
    throw error;
  }
}

function findVolumes(
  name: string,
  manifest: DuplicityManifest,
  set: RepositorySet,
): readonly RepositoryFile[] {
  const there = new Map(set.volumes.map((file) => [file.number, file]));
  return manifest.volumes.map(({ number }, position) => {
    const file = there.get(number);
    if (number !== position + 1) refuse(name, `its manifest lists no volume ${position + 1}`);
    if (file === undefined) refuse(name, `volume ${number} is not there`);
    return file;
  });
}

/**
 * duplicity writes the manifest last, so that all volumes are there when it is. That the last one is not missing can be
 * seen by who decrypts the set, but only if its signatures, which name all files, are there too.
 */
function everyVolume(name: string, { volumes, signatures }: RepositorySet): RepositoryFile[] {
  if (signatures === undefined) refuse(name, "its signature file is not there");
  if (volumes.length === 0) refuse(name, "volume 1 is not there");
  for (const [position, { number }] of volumes.entries()) {
    if (number !== position + 1) refuse(name, `volume ${position + 1} is not there`);
  }
  return [...volumes];
}

function refuse(name: string, what: string): never {
  throw new MirrorError(
    "REPOSITORY_INVALID",
    `repository: set ${name}: ${what}: it and all after it are not published; ` +
      "bring the file back, or make a full backup",
  );
}
