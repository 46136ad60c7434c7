/** Masters, replicas and sources of the program under test, run as users run it. */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { freePort, run, startServer } from "./processes.mjs";
import { emptyFolder } from "./workplace.mjs";

export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** As users run it: by its name, with the flags that it names itself, and here with our node. */
const AS_USERS = {
  env: {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
  },
};

function dupmirror(...words) {
  return run(MAIN, words, AS_USERS);
}

/**
 * A master below `folder`. Every share has a host of its own: a folder, or with `hosts: "http"` one that a process of its own
 * serves. Without `hosts` the publication is the one source. `engine` is `external` where somebody else makes the repository.
 */
export async function makeMaster(folder, options = {}) {
  const { k = 2, n = 3, engine = "run", tree = path.join(folder, "no-tree") } = options;
  await dupmirror("init", "master", "-q", "--tree", tree, "--dir", folder, "--name", "pub");
  const place = (name) => makeFolder(path.join(folder, name));
  const hosts = [];
  for (let share = 0; share < n && options.hosts !== undefined; share++) {
    const host = place(`host-${share}`);
    const server = options.hosts === "http" ? await startServe(host) : undefined;
    hosts.push({ share, folder: host, server, url: server?.url ?? fileUrl(host) });
  }
  const port = await freePort();
  const mirror = {
    name: "pub",
    tree,
    repository: place("repository"),
    publication: place("publication"),
    stateDirectory: place("state"),
    signing: { keyFile: path.join(folder, "pub.key") },
    shares: { k, n },
    duplicity: { engine },
    hosts: hosts.map(({ share, folder: host, server }) => {
      const name = `host-${share}`;
      return { name, url: fileUrl(host), publicUrl: server?.url, shares: [share] };
    }),
    http: { listen: `127.0.0.1:${port}` },
    headLifetime: "30d",
  };
  const config = writeConfig(path.join(folder, "bench-master.yaml"), mirror);
  return {
    config,
    port,
    keyFile: path.join(folder, "pub.pub"),
    repository: mirror.repository,
    publication: mirror.publication,
    hosts,
    publish: () => dupmirror("master", "publish", "-q", "-c", config),
    /** One cycle of the daemon. */
    trigger: () => dupmirror("master", "trigger", "-q", "-c", config),
    start: () => startDaemon(["master", "run", "-c", config], port),
  };
}

/** A replica below `folder` that has nothing yet. */
export function makeReplica(
  folder,
  { sources, keyFile, tree = path.join(folder, "tree"), ...more },
) {
  const state = path.join(folder, "state");
  const config = path.join(folder, "bench-replica.yaml");
  const lastCycle = path.join(state, "last-cycle.json");
  const replica = {
    tree,
    state,
    config,
    /** The daemon, which has polled once when it is there. */
    start: async () => {
      rmSync(lastCycle, { force: true });
      const words = ["replica", "run", "-c", config];
      return startServer(MAIN, words, { ...AS_USERS, isReady: () => existsSync(lastCycle) });
    },
    /** When it came to where it stands, in milliseconds since 1970. */
    movedAt: () => statSync(path.join(state, "position.json")).mtimeMs,
    /** As on a machine that never saw the mirror. */
    forget: () => {
      for (const one of [tree, state]) emptyFolder(one);
    },
    forgetState: () => emptyFolder(state),
    readFrom: (urls) => writeConfig(config, { ...mirror, sources: urls }),
    sync: async () => {
      const measured = await dupmirror("replica", "sync", "--json", "-c", config);
      return { ...measured, report: JSON.parse(measured.stdout) };
    },
  };
  const mirror = {
    name: "pub",
    tree,
    stateDirectory: state,
    trust: { keyFile },
    sources,
    delete: { maxPercent: 100, maxFiles: 10_000_000 },
    ...more,
  };
  makeFolder(folder);
  replica.forget();
  writeConfig(config, mirror);
  return replica;
}

/** `dupmirror serve`, a process of its own. */
async function startServe(folder) {
  const server = await startServer(MAIN, ["serve", folder, "--listen", "127.0.0.1:0", "--json"], {
    ...AS_USERS,
    isReady: ({ said }) => said().includes("\n"),
  });
  const { url } = JSON.parse(server.said());
  return { ...server, url, port: Number(new URL(url).port) };
}

/** The folder's URL. */
export function fileUrl(folder) {
  return pathToFileURL(folder).href;
}

export function makeFolder(folder) {
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function startDaemon(words, port) {
  const isReady = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/pub/head`).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 200;
  };
  return startServer(MAIN, words, { ...AS_USERS, isReady });
}

/** JSON is YAML. */
function writeConfig(file, mirror) {
  writeFileSync(file, JSON.stringify({ mirrors: [mirror] }));
  return file;
}
