/** From the files of a repository to its sets and chains (duplicity-format 1.7). */
import { MirrorError } from "../errors.js";
import { formatSetName, type RepositoryFile } from "./names.js";
import type { SetId } from "./set-id.js";

export interface RepositorySet {
  readonly id: SetId;
  /** The commit mark: absent while the set is incomplete. */
  readonly manifest?: RepositoryFile;
  readonly signatures?: RepositoryFile;
  /** In numeric order; possibly more, or fewer, than the manifest lists. */
  readonly volumes: readonly RepositoryFile[];
}

export interface Chain {
  readonly full: RepositorySet;
  /** Oldest first, each building on the one before. */
  readonly increments: readonly RepositorySet[];
  /** Increments that a later one, built on the same set, has replaced. */
  readonly forked: readonly RepositorySet[];
}

export interface Chains {
  /** By the time of their full set. */
  readonly chains: readonly Chain[];
  /** Increments that build on nothing that is there. */
  readonly orphans: readonly RepositorySet[];
  /** Sets without a manifest. */
  readonly incomplete: readonly RepositorySet[];
}

/**
 * Puts the files of each set together; partial files are no part of any.
 * @throws MirrorError REPOSITORY_INVALID for two files of the same purpose
 */
export function groupSets(files: readonly RepositoryFile[]): RepositorySet[] {
  const groups = new Map<string, SetFiles>();
  for (const file of files) {
    if (file.partial) continue;
    const name = formatSetName(file.set);
    const group = groups.get(name) ?? { id: file.set, byPurpose: new Map() };
    groups.set(name, group);
    addFile(group, file);
  }
  return [...groups.values()].map(toSet);
}

/** Finds the chains by duplicity's own rules, whose numbers are in the code. */
export function buildChains(sets: readonly RepositorySet[]): Chains {
  const incomplete = sets.filter((set) => set.manifest === undefined); // rule 2
  const complete = sets.filter((set) => set.manifest !== undefined).sort(compareSets); // rule 3
  const chains: GrowingChain[] = [];
  const orphans: RepositorySet[] = [];
  for (const set of complete) {
    if (set.id.kind === "full") chains.push({ full: set, increments: [], forked: [] });
    else if (!joinChain(chains, set, set.id.from)) orphans.push(set);
  }
  return { chains, orphans, incomplete };
}

interface SetFiles {
  readonly id: SetId;
  readonly byPurpose: Map<string, RepositoryFile>;
}

interface GrowingChain {
  readonly full: RepositorySet;
  readonly increments: RepositorySet[];
  readonly forked: RepositorySet[];
}

function addFile(group: SetFiles, file: RepositoryFile): void {
  const purpose = file.role === "volume" ? `volume ${file.number}` : file.role;
  const other = group.byPurpose.get(purpose);
  if (other !== undefined) {
    throw new MirrorError(
      "REPOSITORY_INVALID",
      `${other.name} and ${file.name} are both the ${purpose} of ${formatSetName(group.id)}: remove the one that is not duplicity's`,
    );
  }
  group.byPurpose.set(purpose, file);
}

function toSet({ id, byPurpose }: SetFiles): RepositorySet {
  const manifest = byPurpose.get("manifest");
  const signatures = byPurpose.get("signatures");
  const volumes = [...byPurpose.values()].filter((file) => file.role === "volume");
  return {
    id,
    ...(manifest && { manifest }),
    ...(signatures && { signatures }),
    volumes: volumes.sort((a, b) => a.number - b.number),
  };
}

/** By end time; no two sets of one chain share it, and forks of one second must not depend on the listing. */
function compareSets(a: RepositorySet, b: RepositorySet): number {
  return a.id.time - b.id.time || startTime(a.id) - startTime(b.id);
}

function startTime(id: SetId): number {
  return id.kind === "full" ? -1 : id.from;
}

function joinChain(chains: readonly GrowingChain[], set: RepositorySet, from: number): boolean {
  const ending = chains.find((chain) => (chain.increments.at(-1) ?? chain.full).id.time === from); // rule 4
  if (ending !== undefined) {
    ending.increments.push(set);
    return true;
  }
  for (const chain of chains) {
    const last = chain.increments.at(-1);
    if (last?.id.kind !== "increment" || last.id.from !== from || last.id.time >= set.id.time)
      continue;
    chain.forked.push(last); // rule 5
    chain.increments[chain.increments.length - 1] = set;
    return true;
  }
  return false;
}
