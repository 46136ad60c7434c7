/** Replicas that poll one master and follow the same change all at once, beside as many rsync clients of one daemon. */
import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { GeneratedRepository, generatedName } from "../support/generated-repository.mjs";
import { count, median, seconds } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { startRsyncDaemon } from "../support/rsync-daemon.mjs";
import { size } from "../support/sizes.mjs";

const POLL_SECONDS = 10;

export const manyReplicas = {
  name: "many-replicas",
  title: "Many replicas at once",
  about:
    `\`replica run\` processes that poll every ${POLL_SECONDS} s (with the long poll) follow 100 changed files of one \`master run\` over HTTP, all on this machine. ` +
    "Seconds are from the new head to each replica's new position. CPU of the master is that of the 10 s from the beginning of the cycle, which with no " +
    "replicas is the cycle alone; beside it 10 s without anything new. rsync clients of one daemon update the same trees after the same number of changes, " +
    "all begun at once.",
  peers: ["rsync"],
  sizes: { "replica-files": size(500, 10_000), replicas: size([3], [1, 10, 50]) },
  notes: [
    "Replicas and clients take turns on the same cores as the master: most of their seconds is their own work and waiting for each other.",
  ],
  run: measureMany,
};

const CHANGED = 100;
const CHANGED_BYTES = 1000;
const WINDOW_SECONDS = 10;
/** A slower replica counts as starved. */
const FOLLOW_MAX_SECONDS = 120;
/** After its first poll a replica rests for as long as this; then it waits for a head. */
const SETTLE_MS = POLL_SECONDS * 1300;
/** The daemon's child for a client may end after it. */
const CHILDREN_END_MS = 300;

async function measureMany({ sizes, report, workplace }) {
  const folder = workplace.folder();
  const files = sizes["replica-files"];
  const master = await makeMaster(path.join(folder, "master"), { engine: "external" });
  const repository = new GeneratedRepository(master.repository, files);
  repository.writeFull();
  await master.publish();
  const daemon = await master.start();
  const most = Math.max(...sizes.replicas);
  const replicas = Array.from({ length: most }, (_, at) => newReplica(folder, master, at));
  for (const replica of replicas) await replica.sync();
  report.say(`${most} replicas of ${files} files are there`);
  let changes = 0;
  const publish = () => {
    repository.writeIncrement({
      count: CHANGED,
      among: files,
      shift: changes++,
      moreBytes: CHANGED_BYTES,
    });
    return master.trigger();
  };
  const site = { master, daemon, publish };
  const ours = [await measureFollows(site, [])];
  for (const many of sizes.replicas) {
    for (const replica of replicas.slice(0, many)) await replica.sync();
    ours.push(await measureFollows(site, replicas.slice(0, many)));
    report.say(`${many} followed, the slowest after ${seconds(ours.at(-1).slowest)}`);
  }
  await daemon.stop();
  for (const replica of replicas) rmSync(replica.state, { recursive: true });
  const theirs = await measureRsync(folder, replicas, { files, replicas: sizes.replicas });
  tell(report, ours, theirs);
}

function newReplica(folder, master, number) {
  return makeReplica(path.join(folder, `replica-${number}`), {
    sources: [`http://127.0.0.1:${master.port}/pub`],
    keyFile: master.keyFile,
    poll: { every: `${POLL_SECONDS}s`, jitter: "20%" },
  });
}

async function measureFollows({ master, daemon, publish }, replicas) {
  const running = await Promise.all(replicas.map((replica) => replica.start()));
  if (replicas.length > 0) await sleep(SETTLE_MS);
  const idleCpu = await cpuOfWindow(daemon, () => undefined);
  const busyCpu = await cpuOfWindow(daemon, publish);
  const headAt = statSync(path.join(master.publication, "head")).mtimeMs;
  const followed = await Promise.all(replicas.map((replica) => followedAfter(replica, headAt)));
  await Promise.all(running.map((server) => server.stop()));
  return { many: replicas.length, idleCpu, busyCpu, ...spread(followed) };
}

/** Of the time from the beginning of `work`. */
async function cpuOfWindow(daemon, work) {
  const before = daemon.cpuSeconds();
  const window = sleep(WINDOW_SECONDS * 1000);
  await work();
  await window;
  return daemon.cpuSeconds() - before;
}

/** Seconds after the head. */
async function followedAfter(replica, headAt) {
  const giveUpAt = performance.now() + FOLLOW_MAX_SECONDS * 1000;
  while (replica.movedAt() < headAt) {
    if (performance.now() > giveUpAt) throw new Error(`${replica.tree} did not follow`);
    await sleep(50);
  }
  return (replica.movedAt() - headAt) / 1000;
}

function spread(values) {
  return values.length === 0 ? {} : { median: median(values), slowest: Math.max(...values) };
}

async function measureRsync(folder, replicas, { files, replicas: counts }) {
  const tree = path.join(folder, "rsync-master");
  await run("rsync", ["-a", `${replicas[0].tree}/`, `${tree}/`]);
  const daemon = await startRsyncDaemon(folder, tree);
  const results = [];
  for (const many of counts) {
    const round = results.length;
    for (const replica of replicas.slice(0, many))
      await run("rsync", ["-a", `${tree}/`, `${replica.tree}/`]);
    changeSome(tree, files, round);
    const before = daemon.cpuSeconds();
    const clients = replicas
      .slice(0, many)
      .map(({ tree: copy }) => run("rsync", ["-a", daemon.url, `${copy}/`]));
    const took = (await Promise.all(clients)).map((one) => one.seconds);
    await sleep(CHILDREN_END_MS);
    results.push({ many, cpu: daemon.cpuSeconds() - before, ...spread(took) });
  }
  await daemon.stop();
  return results;
}

function changeSome(tree, files, round) {
  const step = Math.floor(files / CHANGED);
  for (let at = 0; at < CHANGED; at++) {
    const file = path.join(tree, generatedName(at * step + (round % step)));
    writeFileSync(file, `${round} `.repeat(CHANGED_BYTES / 2));
    utimesSync(file, 1_800_000_000 + round, 1_800_000_000 + round);
  }
}

function tell(report, ours, theirs) {
  const shown = (value) => (value === undefined ? "" : seconds(value));
  report.table(
    [
      "replicas",
      "median",
      "slowest",
      "CPU of the master",
      "with nothing new",
      "rsync: median",
      "slowest",
      "CPU of the daemon",
    ],
    ours.map(({ many, median: middle, slowest, busyCpu, idleCpu }) => {
      const other = theirs.find((one) => one.many === many) ?? {};
      const all = [middle, slowest, busyCpu, idleCpu, other.median, other.slowest, other.cpu];
      return [count(many), ...all.map(shown)];
    }),
  );
  const { many, slowest, busyCpu } = ours.at(-1);
  const promised = `below one core (${WINDOW_SECONDS} s)`;
  report.verdict(
    busyCpu < WINDOW_SECONDS,
    `CPU of the master, ${many} follows in ${WINDOW_SECONDS} s`,
    seconds(busyCpu),
    promised,
  );
  const what = `The slowest of ${many} follows`;
  report.verdict(slowest <= WINDOW_SECONDS, what, seconds(slowest), `at most ${WINDOW_SECONDS} s`);
}
