/** How fast the bytes of a large set come from sources over HTTP: fetched, checked, decoded, inflated; and written as a tree. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { bundleProgram } from "../support/bundle.mjs";
import { readProfiles } from "../support/cpu-profile.mjs";
import { MAIN, makeFolder, makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { noise } from "../support/noise.mjs";
import { bytes, list, median } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { size } from "../support/sizes.mjs";
import { sourceText } from "../support/source-tree.mjs";

export const throughput = {
  name: "throughput",
  title: "A large set over HTTP",
  about:
    "Files of 32 MiB, of which a fifth is text and the rest does not compress, as packages are; shape (4, 6), a `dupmirror serve` for each share on " +
    "loopback, everything on two cores. Retrieving is `src/retrieve` alone, its bytes thrown away; the sync writes the tree, in memory. MB/s are of " +
    "stored bytes: what the data shares hold.",
  peers: [],
  sizes: { "throughput-files": size(2, 16), rounds: size(1, 3) },
  notes: [],
  run: onTwoCores(measureThroughput),
};

const SHAPE = { k: 4, n: 6 };
const FILE_BYTES = 32 * 1024 * 1024;
const TEXT_SHARE = 0.2;

/** What the project promises of retrieving, in stored bytes per second. */
const PROMISES = { all: 150e6, lost: 100e6 };

async function measureThroughput({ sizes, report, workplace }) {
  const folder = workplace.folder();
  const tree = makePackages(path.join(folder, "tree"), sizes["throughput-files"]);
  const master = await makeMaster(path.join(folder, "master"), { tree, ...SHAPE, hosts: "http" });
  await master.publish();
  const program = await bundleProgram(folder, "retrieve-all");
  const site = { folder, tree, master, program, rounds: sizes.rounds };
  const all = await measureSources(site, master.hosts);
  const lost = master.hosts.slice(0, SHAPE.n - SHAPE.k);
  for (const { server } of lost) await server.stop("SIGKILL");
  const others = master.hosts.filter((host) => !lost.includes(host));
  const without = await measureSources(site, others);
  tell(report, { all, lost: without });
}

/** Some text after every few megabytes of noise, so that every volume has both. */
function makePackages(tree, files) {
  mkdirSync(tree);
  const text = Buffer.from(sourceText(4 * 1024 * 1024));
  for (let number = 0; number < files; number++) {
    const packed = noise(FILE_BYTES, number + 1);
    const step = text.length / TEXT_SHARE;
    for (let at = 0; at < FILE_BYTES; at += step) packed.set(text.subarray(0, FILE_BYTES - at), at);
    writeFileSync(path.join(tree, `package-${number}.rpm`), packed);
  }
  return tree;
}

async function measureSources(site, hosts) {
  const retrieving = await measureRetrieving(site, hosts);
  const syncing = await measureSyncing(site, hosts, retrieving.storedBytes);
  return { retrieving, syncing };
}

async function measureRetrieving({ folder, master, program, rounds }, hosts) {
  const sources = hosts.map(({ url, share }) => ({ url, shares: [share] }));
  const wanted = JSON.stringify({ publication: master.publication, sources });
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    const before = cpuOf(hosts);
    const measured = await run(process.execPath, [program, wanted]);
    runs.push({ ...measured, ...JSON.parse(measured.stdout), sourceCpu: cpuOf(hosts) - before });
  }
  const profile = await profiled(folder, [program, wanted]);
  return { ...summarize(runs, runs[0].storedBytes), profile };
}

async function measureSyncing({ folder, tree, master, rounds }, hosts, storedBytes) {
  const replica = makeReplica(path.join(folder, "replica"), {
    sources: hosts.map(({ url, share }) => ({ url, shares: [share] })),
    keyFile: master.keyFile,
  });
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    replica.forget();
    const before = cpuOf(hosts);
    runs.push({ ...(await replica.sync()), sourceCpu: cpuOf(hosts) - before });
  }
  await run("diff", ["-r", tree, replica.tree]);
  replica.forget();
  const profile = await profiled(folder, [MAIN, "replica", "sync", "-q", "-c", replica.config]);
  replica.forget();
  return { ...summarize(runs, storedBytes), profile };
}

function summarize(runs, storedBytes) {
  const middle = (name) => median(runs.map((one) => one[name]));
  return {
    storedBytes,
    speeds: runs.map(({ seconds }) => storedBytes / seconds),
    seconds: middle("seconds"),
    cpuSeconds: middle("cpuSeconds"),
    mainSeconds: middle("mainSeconds"),
    sourceCpu: middle("sourceCpu"),
  };
}

/** Once more, as the profiler costs time itself. */
async function profiled(folder, words) {
  const place = makeFolder(path.join(folder, `profile-${Date.now()}`));
  await run(process.execPath, ["--cpu-prof", `--cpu-prof-dir=${place}`, ...words]);
  return readProfiles(place);
}

function cpuOf(hosts) {
  return hosts.reduce((sum, { server }) => sum + server.cpuSeconds(), 0);
}

const NAMES = { all: "all data shares", lost: `${SHAPE.n - SHAPE.k} data shares lost` };

function tell(report, measured) {
  const rows = Object.entries(measured).flatMap(([which, { retrieving, syncing }]) => [
    row(`retrieving, ${NAMES[which]}`, retrieving),
    row(`fresh sync, ${NAMES[which]}`, syncing),
  ]);
  report.text(`${bytes(measured.all.retrieving.storedBytes)} of stored bytes:`);
  report.table(
    [
      "",
      "MB/s of each round",
      "seconds",
      "CPU of the replica",
      "of it the main thread",
      "CPU of the sources",
    ],
    rows,
  );
  for (const [which, { retrieving, syncing }] of Object.entries(measured)) {
    tellProfile(report, `Retrieving, ${NAMES[which]}`, retrieving);
    tellProfile(report, `Fresh sync, ${NAMES[which]}`, syncing);
  }
  for (const [which, promised] of Object.entries(PROMISES)) {
    const speed = median(measured[which].retrieving.speeds);
    const what = `Stored bytes retrieved over HTTP per second, ${NAMES[which]}`;
    report.verdict(speed >= promised, what, bytes(speed), `at least ${bytes(promised)}`);
  }
}

function row(words, { speeds, seconds, cpuSeconds, mainSeconds, sourceCpu }) {
  const speed = list(
    speeds.map((one) => one / 1e6),
    0,
  );
  const shown = [seconds, cpuSeconds, mainSeconds, sourceCpu];
  return [words, speed, ...shown.map((one) => `${one.toFixed(2)} s`)];
}

const PLACES_SHOWN = 8;

function tellProfile(report, words, measured) {
  report.text(
    `${words}: ${bottleneck(measured)}. Own time of its main thread, under the profiler:`,
  );
  report.table(
    ["where", "seconds"],
    measured.profile[0].places
      .slice(0, PLACES_SHOWN)
      .map(([place, spent]) => [place, spent.toFixed(2)]),
  );
}

/** Who of those that take turns on the two cores is busy all the time, and how much each of them takes. */
function bottleneck({ seconds, cpuSeconds, mainSeconds, sourceCpu }) {
  const users = [
    ["the main thread", mainSeconds],
    ["other threads (hashing, inflating, decoding)", cpuSeconds - mainSeconds],
    ["the sources", sourceCpu],
  ].sort(([, a], [, b]) => b - a);
  const cores = (cpuSeconds + sourceCpu) / seconds;
  const named = users.map(([name, spent]) => `${name} ${spent.toFixed(2)} s`).join(", ");
  return `${boundBy(mainSeconds / seconds, cores)}; ${cores.toFixed(1)} of 2 cores are used: ${named}`;
}

function boundBy(mainShare, cores) {
  if (mainShare >= FULL) return "the bottleneck is the main thread, busy all the time";
  if (cores >= 2 * FULL) return "the bottleneck is both cores together, busy all the time";
  return "no thread is busy all the time: they wait for each other, or for others on this machine";
}

/** More than this leaves no room to wait for others. */
const FULL = 0.85;

/** Also where there are more. */
function onTwoCores(measured) {
  return async (bench) => {
    if (cpus().length <= 2) return measured(bench);
    const pin = (list) => spawnSync("taskset", ["-apc", list, `${process.pid}`]);
    pin("0,1");
    try {
      return await measured(bench);
    } finally {
      pin(`0-${cpus().length - 1}`);
    }
  };
}
