/** The machines of the demo, all in one temporary folder. */
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { toTreePath } from "../bytes/tree-path.js";
import { formatSize } from "../bytes/units.js";
import { loadMasterConfig, type MasterMirror } from "../config/master.js";
import { loadReplicaConfig, type ReplicaMirror } from "../config/replica.js";
import { ConfinedTree } from "../disk/confined.js";
import { makeFolder, removeFolder } from "../disk/durable.js";
import { isFolder } from "../disk/served-file.js";
import { freeSpace } from "../disk/space.js";
import { MirrorError } from "../errors.js";
import { copyTree } from "../programs/copy.js";
import { type SelfProcess, startSelf } from "../programs/self.js";
import type { CommandContext } from "./command.js";
import { countTree, makeDemoTree } from "./demo-tree.js";
import { writeKeyPair } from "./new-files.js";

export interface DemoSite {
  readonly folder: string;
  /** The master's tree. */
  readonly tree: string;
  readonly replicaTree: string;
  readonly master: MasterMirror;
  readonly replica: ReplicaMirror;
  /** Of the three sources. */
  readonly urls: readonly string[];
  killSource(number: number): Promise<void>;
  /** Kills what runs, and removes the folder. */
  close(): Promise<void>;
}

export async function openDemoSite(
  tree: string | undefined,
  context: CommandContext,
): Promise<DemoSite> {
  const folder = path.join(tmpdir(), `dupmirror-demo-${randomBytes(6).toString("hex")}`);
  makeFolder(folder, 0o700);
  const sources: SelfProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.kill()));
    removeAll(folder);
  };
  try {
    await placeTree(tree, path.join(folder, "tree"), context);
    for (const name of HOST_NAMES)
      sources.push(await startSource(path.join(folder, name), context));
    const urls = sources.map((source) => urlOf(source));
    return {
      ...{ folder, urls, close, ...configure(folder, urls) },
      killSource: async (number) => sources[number]?.kill(),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const HOST_NAMES = ["a", "b", "c"];

/** Copy, repository, shares, replica, and rsync's copy. */
const SPACE_FACTOR = 6;

const COPY_TIMEOUT_MS = 3_600_000;

async function placeTree(
  given: string | undefined,
  place: string,
  { signal }: CommandContext,
): Promise<void> {
  makeFolder(place);
  if (given === undefined) {
    makeDemoTree(place);
    return;
  }
  const from = path.resolve(given);
  if (!isFolder(from)) throw new MirrorError("USAGE", `${from} is not a folder`);
  const { sizeBytes } = countTree(from);
  const { bytes } = freeSpace(place);
  if (bytes < sizeBytes * SPACE_FACTOR) {
    const needed = formatSize(sizeBytes * SPACE_FACTOR);
    const message = `the demo of ${from} needs ${needed} in ${tmpdir()}, which has ${formatSize(bytes)}`;
    throw new MirrorError("DISK_SPACE", message);
  }
  await copyTree({ from, to: place, timeoutMs: COPY_TIMEOUT_MS, signal });
}

async function startSource(
  folder: string,
  { script, signal }: CommandContext,
): Promise<SelfProcess> {
  makeFolder(folder);
  return startSelf({ script, arguments: ["serve", folder, "--listen", "127.0.0.1:0"], signal });
}

function urlOf(source: SelfProcess): string {
  const url = /http:\/\/\S+$/.exec(source.firstLine)?.[0];
  if (url !== undefined) return url;
  throw new MirrorError("PROGRAM_FAILED", `a source said ${JSON.stringify(source.firstLine)}`);
}

function configure(folder: string, urls: readonly string[]) {
  const { keyFile, publicKeyFile } = writeKeyPair({ folder, name: "demo", seed: randomBytes(32) });
  const hosts = HOST_NAMES.map((name, share) => {
    const url = pathToFileURL(path.join(folder, name)).href;
    return { name, url, shares: [share], publicUrl: urls[share] };
  });
  const tree = path.join(folder, "tree");
  const replicaTree = path.join(folder, "replica");
  const master = {
    ...{ name: "demo", tree, publication: "publication", stateDirectory: "master-state" },
    ...{ signing: { keyFile }, shares: { k: 2, n: 3 }, hosts },
  };
  const replica = {
    ...{ name: "demo", tree: replicaTree, stateDirectory: "replica-state" },
    ...{ trust: { keyFile: publicKeyFile }, sources: urls },
    // The changes of the demo are many for a small tree.
    delete: { maxPercent: 100 },
  };
  makeFolder(replicaTree);
  // JSON is YAML: the demo runs on what a config file would say.
  const [masterMirror] = loadMasterConfig(toText(master), path.join(folder, "master.yaml")).mirrors;
  const [replicaMirror] = loadReplicaConfig(
    toText(replica),
    path.join(folder, "replica.yaml"),
  ).mirrors;
  if (masterMirror === undefined || replicaMirror === undefined) throw new RangeError("no mirrors");
  return { tree, replicaTree, master: masterMirror, replica: replicaMirror };
}

function toText(mirror: unknown): string {
  return JSON.stringify({ mirrors: [mirror] });
}

/** Also what is in folders without permission to write. */
function removeAll(folder: string): void {
  const all = ConfinedTree.open(folder);
  for (const name of ["tree", "replica", "rsync"]) all.removeTree(toTreePath(name));
  all.close();
  removeFolder(folder);
}
