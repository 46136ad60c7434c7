/**
 * What grows with the size of the tree and what does not: an idle poll, a follow of the same hundred changed files, and
 * the memory of what must look at everything. Repositories are generated, as duplicity would need an hour and a tree.
 */
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MAIN, makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { GeneratedRepository } from "../support/generated-repository.mjs";
import { bytes, count, list, median, ratio, seconds } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { startRelay } from "../support/relay.mjs";
import { startRsyncDaemon, urlOf } from "../support/rsync-daemon.mjs";
import { size } from "../support/sizes.mjs";

export const treeSize = {
  name: "tree-size",
  title: "Cost against the size of the tree",
  about:
    "Trees of empty files, 100 to a folder, with signatures; one `master run` over HTTP, shape (2, 3). Bytes are counted by a relay in both " +
    "directions, headers included; system calls by `strace -f -c`, of the whole process; CPU is of all threads and children. Medians.",
  peers: ["rsync", "strace"],
  sizes: { "tree-files": size([500, 2000], [20_000, 200_000, 1_000_000]), rounds: size(1, 3) },
  notes: [
    "rsync's client compares the tree with itself, which costs it and the daemon what two equal trees cost. " +
      "Nearly all CPU of an idle sync and of a follow is the start of node (0.2 s); a daemon does not have it.",
  ],
  run: measureTrees,
};

const POLLS = 200;
const SETTLE_MS = 300;
const CHANGED = 100;
/** Those that change are the same in every tree. */
const AMONG = 20_000;

/** What the project promises. */
const MEMORY_MAX_BYTES = 400e6;
const GROWTH_MAX = 1.1;
const IDLE_MAX_BYTES = 1000;
const FOLLOW_MAX_BYTES = 80_000;

async function measureTrees(bench) {
  const { sizes, report, workplace } = bench;
  const trees = [];
  for (const files of sizes["tree-files"]) {
    trees.push(await measureTree(bench, files, trees.length === 0));
    workplace.remove();
  }
  tellTables(report, trees);
  tellVerdicts(report, trees);
}

async function measureTree({ sizes, report, workplace, peers }, files, isSmallest) {
  const folder = workplace.folder();
  const master = await makeMaster(path.join(folder, "master"), { engine: "external" });
  const repository = new GeneratedRepository(master.repository, files);
  report.say(`${files} files, ${repository.entries} entries`);
  repository.writeFull();
  const peaks = { "publishing the full set": (await master.publish()).peakBytes };
  const daemon = await master.start();
  const relay = await startRelay(master.port);
  const replica = makeReplica(path.join(folder, "replica"), {
    sources: [`http://127.0.0.1:${relay.port}/pub`],
    keyFile: master.keyFile,
  });
  peaks["the first mirror"] = (await replica.sync()).peakBytes;
  const site = { folder, replica, daemon, relay, rounds: sizes.rounds };
  const change = async () => {
    repository.writeIncrement({ count: Math.min(CHANGED, files), among: Math.min(AMONG, files) });
    await master.trigger();
  };
  const idle = await measureSyncs(site, () => undefined);
  const pollsCpu = await cpuOfPolls(daemon, master.port);
  const follow = await measureSyncs(site, change);
  const calls = peers.has("strace") ? await countCalls(replica, change) : undefined;
  await change();
  peaks["a follow"] = (await replica.sync()).peakBytes;
  rmSync(path.join(replica.state, "position.json"));
  peaks["comparing the whole tree"] = (await replica.sync()).peakBytes;
  const rsync = await measureRsync(site, peers.has("strace") && isSmallest);
  relay.close();
  await daemon.stop();
  return { files, peaks, idle, pollsCpu, follow, calls, rsync };
}

/** Each sync after `prepare`. The master's CPU is counted in hundredths of a second, so it is that of all rounds together. */
async function measureSyncs({ replica, daemon, relay, rounds }, prepare) {
  const runs = [];
  let masterCpu = 0;
  for (let round = 0; round < rounds; round++) {
    await prepare();
    relay.takeBytes();
    const before = daemon.cpuSeconds();
    const { cpuSeconds, seconds: took, report } = await replica.sync();
    masterCpu += daemon.cpuSeconds() - before;
    runs.push({ cpu: cpuSeconds, took, bytes: relay.takeBytes(), requests: report.requests.total });
  }
  const middle = (name) => median(runs.map((one) => one[name]));
  return {
    bytes: middle("bytes"),
    requests: middle("requests"),
    cpu: middle("cpu"),
    cpus: runs.map(({ cpu }) => cpu),
    took: middle("took"),
    masterCpu: masterCpu / rounds,
  };
}

/** Of the master, which a single poll costs less than can be seen. */
async function cpuOfPolls(daemon, port) {
  const url = `http://127.0.0.1:${port}/pub/head`;
  const first = await fetch(url);
  await first.arrayBuffer();
  const before = daemon.cpuSeconds();
  for (let poll = 0; poll < POLLS; poll++) {
    const { status } = await fetch(url, {
      headers: { "if-none-match": first.headers.get("etag") },
    });
    if (status !== 304) throw new Error(`a poll was answered with status ${status}`);
  }
  return daemon.cpuSeconds() - before;
}

async function countCalls(replica, change) {
  const idle = await systemCalls(replica);
  await change();
  return { idle, follow: await systemCalls(replica) };
}

async function systemCalls({ config }) {
  const words = ["-f", "-c", "-q", process.execPath, MAIN, "replica", "sync", "-q", "-c", config];
  const { stderr } = await run("strace", words);
  return Number(/^100\.00\s+\S+\s+\S+\s+(\d+)/m.exec(stderr)?.[1]);
}

async function measureRsync({ folder, replica, rounds }, withCalls) {
  const daemon = await startRsyncDaemon(folder, replica.tree);
  const relay = await startRelay(daemon.port);
  const runs = [];
  const before = daemon.cpuSeconds();
  for (let round = 0; round < rounds; round++) {
    const { cpuSeconds, seconds: took } = await run("rsync", [
      "-a",
      urlOf(relay.port),
      `${replica.tree}/`,
    ]);
    runs.push({ cpu: cpuSeconds, took, bytes: relay.takeBytes() });
  }
  // The daemon's child for the last client may end after the client.
  await sleep(SETTLE_MS);
  const masterCpu = (daemon.cpuSeconds() - before) / rounds;
  relay.close();
  await daemon.stop();
  const middle = (name) => median(runs.map((one) => one[name]));
  const statCalls = withCalls ? await countStatCalls(folder, replica.tree) : undefined;
  return { bytes: middle("bytes"), cpu: middle("cpu"), took: middle("took"), masterCpu, statCalls };
}

/** Of the daemon, for one client. */
async function countStatCalls(folder, tree) {
  const log = path.join(folder, "stat-calls");
  const wrap = ["strace", "-f", "-q", "-o", log, "-e", "trace=%%stat"];
  const daemon = await startRsyncDaemon(folder, tree, wrap);
  await run("rsync", ["-a", daemon.url, `${tree}/`]);
  await daemon.stop();
  return readFileSync(log, "utf8").split("\n").length - 1;
}

function tellTables(report, trees) {
  const heading = ["", ...trees.map(({ files }) => `${count(files)} files`)];
  const row = (words, show) => [words, ...trees.map(show)];
  const idleRows = [
    row("`replica sync`, bytes", ({ idle }) => bytes(idle.bytes)),
    row("requests", ({ idle }) => `${idle.requests}`),
    row("CPU of the replica", ({ idle }) => seconds(idle.cpu)),
    row(`CPU of the master for ${POLLS} polls`, ({ pollsCpu }) => seconds(pollsCpu)),
    row("system calls of the replica", ({ calls }) => `${calls?.idle ?? "?"}`),
    row("`rsync -a` from an rsync daemon, bytes", ({ rsync }) => bytes(rsync.bytes)),
    row("CPU of the client", ({ rsync }) => seconds(rsync.cpu)),
    row("CPU of the daemon", ({ rsync }) => seconds(rsync.masterCpu)),
    row("stat calls of the daemon", ({ rsync }) => `${rsync.statCalls ?? ""}`),
    row("times the bytes of `replica sync`", ({ idle, rsync }) => ratio(rsync.bytes / idle.bytes)),
  ];
  report.text("Nothing new:");
  report.table(heading, idleRows);
  report.text(`${CHANGED} files changed, the same in every tree:`);
  report.table(heading, [
    row("bytes", ({ follow }) => bytes(follow.bytes)),
    row("requests", ({ follow }) => `${follow.requests}`),
    row("CPU of the replica, each round", ({ follow }) => list(follow.cpus)),
    row("CPU of the master", ({ follow }) => seconds(follow.masterCpu)),
    row("system calls of the replica", ({ calls }) => `${calls?.follow ?? "?"}`),
  ]);
  report.text("Memory at most:");
  report.table(
    heading,
    Object.keys(trees[0].peaks).map((what) => row(what, ({ peaks }) => bytes(peaks[what]))),
  );
}

function tellVerdicts(report, trees) {
  const [few, many] = [trees[0], trees.at(-1)];
  const words = `${count(many.files)} files`;
  const most = (what, value, max) =>
    report.verdict(value <= max, what, bytes(value), `at most ${bytes(max)}`);
  most(`Bytes of an idle poll, ${words}`, many.idle.bytes, IDLE_MAX_BYTES);
  most(`Bytes of following ${CHANGED} changed, ${words}`, many.follow.bytes, FOLLOW_MAX_BYTES);
  for (const [what, peak] of Object.entries(many.peaks))
    most(`Memory of ${what}, ${words}`, peak, MEMORY_MAX_BYTES);
  const growth = (what, of) => {
    const factor = of(many) / of(few);
    const promised = `at most ${GROWTH_MAX} times`;
    const from = `from ${count(few.files)} to ${words}`;
    report.verdict(factor <= GROWTH_MAX, `${what} ${from}`, `${ratio(factor)} times`, promised);
  };
  growth("Bytes of an idle poll", ({ idle }) => idle.bytes);
  growth("Bytes of a follow", ({ follow }) => follow.bytes);
  growth("CPU of an idle sync", ({ idle }) => idle.cpu);
  growth("CPU of a follow", ({ follow }) => follow.cpu);
  if (many.calls === undefined) return;
  growth("System calls of an idle sync", ({ calls }) => calls.idle);
  growth("System calls of a follow", ({ calls }) => calls.follow);
}
