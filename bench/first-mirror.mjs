/**
 * The first mirror of many small files: a fresh `replica sync` from three file:// hosts with k = 2 against
 * `duplicity restore` and `rsync -a` into an empty folder; of a full set alone, and of a chain of increments as a
 * replica finds it that joins later. The three run in turn, round by round, so that what disturbs the machine
 * disturbs all of them; only their ratios mean anything.
 */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { measure, median } from "./measure.mjs";
import { makeSourceTree } from "./source-tree.mjs";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** What the project promises. */
const TIMES_AS_FAST_AS_RESTORE = 5;
const TIMES_AS_FAST_AS_RSYNC = 1;
const MEMORY_MAX_BYTES = 300e6;

export async function measureFirstMirror({ place, parent, files, rounds, increments }) {
  const folder = mkdtempSync(path.join(parent, "dupmirror-bench-"));
  try {
    const tree = path.join(folder, "tree");
    const { paths, bytes } = makeSourceTree(tree, files);
    say(`\n${place} (${parent}): ${files} files, ${(bytes / 1e6).toFixed(0)} MB`);
    const master = await initMaster(folder, tree);
    const publishing = await publish(master);
    say(
      `  publish: ${publishing.seconds.toFixed(1)} s, at most ${megabytes(publishing.peakBytes)}`,
    );
    const full = await race({ folder, tree, rounds, name: "a full set" });
    for (let number = 1; number <= increments; number++) {
      changeSome(tree, paths, number);
      await publish(master);
    }
    const name = `a full set and ${increments} increments of ${CHANGED_FILES} files`;
    const chain = increments === 0 ? full : await race({ folder, tree, rounds, name });
    return [full, chain, memory("master publish", publishing.peakBytes)].every(Boolean);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether all that is promised was kept. */
async function race({ folder, tree, rounds, name }) {
  say(`  ${name}:`);
  const runs = { restore: [], rsync: [], sync: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [who, run] of Object.entries(contestants(folder, tree))) {
      runs[who].push(await runFresh(path.join(folder, "target"), run));
    }
    const seconds = Object.entries(runs).map(
      ([who, all]) => `${who} ${all.at(-1).seconds.toFixed(2)} s`,
    );
    say(`    round ${round + 1}: ${seconds.join(", ")}`);
  }
  await compare(folder, tree);
  return report(runs);
}

const CHANGED_FILES = 40;

/** Spread over the tree, other ones each time. */
function changeSome(tree, paths, number) {
  for (let at = 0; at < CHANGED_FILES; at++) {
    const file = path.join(tree, paths[(number * 977 + at * 331) % paths.length]);
    writeFileSync(file, `/* version ${number} */\n`.repeat(100));
    utimesSync(file, 1_700_000_000 + number, 1_700_000_000 + number);
  }
}

async function publish(master) {
  return measure(process.execPath, [MAIN, "master", "publish", "-c", master]);
}

async function initMaster(folder, tree) {
  await measure(process.execPath, [
    MAIN,
    "init",
    "master",
    "--tree",
    tree,
    "--dir",
    folder,
    "--k",
    "2",
    "--n",
    "3",
  ]);
  const hosts = [0, 1, 2].map((share) => {
    const host = path.join(folder, `host-${share}`);
    mkdirSync(host, { recursive: true });
    return { name: `host-${share}`, url: pathToFileURL(host).href, shares: [share] };
  });
  const mirror = {
    name: "pub",
    tree,
    repository: path.join(folder, "repository"),
    publication: path.join(folder, "publication"),
    stateDirectory: path.join(folder, "state"),
    signing: { keyFile: path.join(folder, "pub.key") },
    shares: { k: 2, n: 3 },
    duplicity: { engine: "run", volumeSize: "25 MiB" },
    hosts,
  };
  for (const made of [mirror.repository, mirror.publication, mirror.stateDirectory])
    mkdirSync(made, { recursive: true });
  const master = path.join(folder, "bench-master.yaml");
  writeConfig(master, mirror);
  return master;
}

function contestants(folder, tree) {
  const repository = pathToFileURL(path.join(folder, "repository")).href;
  const archive = path.join(folder, "restore-archive");
  return {
    restore: (target) =>
      measure("duplicity", [
        "restore",
        "--no-encryption",
        "--archive-dir",
        archive,
        "--name",
        "bench",
        repository,
        target,
      ]),
    rsync: (target) => measure("rsync", ["-a", `${tree}/`, `${target}/`]),
    sync: (target) =>
      measure(process.execPath, [MAIN, "replica", "sync", "-c", replicaConfig(folder, target)]),
  };
}

function replicaConfig(folder, target) {
  const stateDirectory = path.join(folder, "replica-state");
  rmSync(stateDirectory, { recursive: true, force: true });
  mkdirSync(stateDirectory);
  const file = path.join(folder, "bench-replica.yaml");
  writeConfig(file, {
    name: "pub",
    tree: target,
    stateDirectory,
    trust: { keyFile: path.join(folder, "pub.pub") },
    sources: [0, 1, 2].map((share) => pathToFileURL(path.join(folder, `host-${share}`)).href),
  });
  return file;
}

/** Into an empty folder, with nothing of the run before waiting to be written. */
async function runFresh(target, run) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  await measure("sync", ["-f", target]);
  return run(target);
}

/** The last round's target is the replica's: a fast copy of the wrong bytes is worth nothing. */
async function compare(folder, tree) {
  await measure("diff", ["-r", "--no-dereference", tree, path.join(folder, "target")]);
}

function report(runs) {
  const seconds = Object.fromEntries(
    Object.entries(runs).map(([name, all]) => [name, all.map((one) => one.seconds)]),
  );
  const peak = Math.max(...runs.sync.map((one) => one.peakBytes));
  const verdicts = [
    verdict(
      "as fast as duplicity restore",
      ratio(seconds.restore, seconds.sync),
      TIMES_AS_FAST_AS_RESTORE,
    ),
    verdict("as fast as rsync -a", ratio(seconds.rsync, seconds.sync), TIMES_AS_FAST_AS_RSYNC),
    memory("replica sync", peak),
  ];
  return verdicts.every(Boolean);
}

function ratio(other, ours) {
  return { best: Math.min(...other) / Math.min(...ours), median: median(other) / median(ours) };
}

function verdict(words, { best, median: middle }, promised) {
  const kept = best >= promised;
  say(
    `    replica sync is ${best.toFixed(2)} times ${words} (medians: ${middle.toFixed(2)}); promised ${promised}: ${kept ? "kept" : "MISSED"}`,
  );
  return kept;
}

function memory(words, bytes) {
  const kept = bytes <= MEMORY_MAX_BYTES;
  say(
    `    ${words} held at most ${megabytes(bytes)}; promised ${megabytes(MEMORY_MAX_BYTES)}: ${kept ? "kept" : "MISSED"}`,
  );
  return kept;
}

/** JSON is YAML. */
function writeConfig(file, mirror) {
  writeFileSync(file, JSON.stringify({ mirrors: [mirror] }));
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
