/** Some of many files changed: what a replica moves and how long it takes, beside rsync, rsync's batches, and duplicity's own files. */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { bytes, count, ratio, seconds } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { startRelay } from "../support/relay.mjs";
import { startRsyncDaemon, urlOf } from "../support/rsync-daemon.mjs";
import { size } from "../support/sizes.mjs";
import { makeSourceTree } from "../support/source-tree.mjs";

export const changedFiles = {
  name: "changed-files",
  title: "Some of many files changed",
  about:
    "Source-like text files of 1 kB on average, of which some have one line rewritten. A follow from one `master run` over HTTP, `rsync -a` from an " +
    "rsync daemon, both by way of a relay that counts bytes in both directions; a batch that the master wrote (`rsync --only-write-batch`) applied by " +
    "`rsync --read-batch`; and what duplicity's increment takes, gzip'd as duplicity does by default. In memory.",
  peers: ["duplicity", "rsync"],
  sizes: { "changed-of": size(2000, 200_000), changed: size([20], [100, 1000, 10_000]) },
  notes: [],
  run: measureChanged,
};

const MEAN_BYTES = 1000;
const FIRST_TIME = 1_700_000_000;

/** What the project promises, of this many changed. */
const PROMISED = { changed: 100, bytes: 80_000 };

async function measureChanged({ sizes, report, workplace }) {
  const folder = workplace.folder();
  const tree = path.join(folder, "tree");
  const { paths } = makeSourceTree(tree, sizes["changed-of"], MEAN_BYTES);
  const site = await makeSite(folder, tree);
  const full = await site.master.publish();
  report.say(`published in ${seconds(full.seconds)}`);
  const daemon = await site.master.start();
  await site.replica.sync();
  for (const copy of [site.rsyncCopy, site.batchCopy]) await run("rsync", ["-a", `${tree}/`, copy]);
  const rounds = [];
  for (const changed of sizes.changed) {
    changeSome(tree, paths, { count: changed, round: rounds.length });
    rounds.push({ changed, ...(await measureRound(site)) });
    report.say(`${changed} changed: done`);
  }
  await daemon.stop();
  site.close();
  tell(report, rounds, sizes["changed-of"]);
}

async function makeSite(folder, tree) {
  const master = await makeMaster(path.join(folder, "master"), { tree });
  const relay = await startRelay(master.port);
  const rsyncDaemon = await startRsyncDaemon(folder, tree);
  const rsyncRelay = await startRelay(rsyncDaemon.port);
  const replica = makeReplica(path.join(folder, "replica"), {
    sources: [`http://127.0.0.1:${relay.port}/pub`],
    keyFile: master.keyFile,
  });
  const copy = (name) => `${path.join(folder, name)}/`;
  return {
    ...{ folder, tree, master, relay, rsyncRelay, replica },
    ...{ rsyncCopy: copy("rsync"), batchCopy: copy("batch") },
    close: () => {
      relay.close();
      rsyncRelay.close();
    },
  };
}

async function measureRound(site) {
  const { tree, master, relay, rsyncRelay, replica, rsyncCopy, batchCopy } = site;
  const before = new Set(readdirSync(master.repository));
  const publishing = await master.trigger();
  relay.takeBytes();
  const follow = { ...(await replica.sync()), bytes: relay.takeBytes() };
  const batch = await measureBatch(site);
  rsyncRelay.takeBytes();
  const rsync = {
    ...(await run("rsync", ["-a", urlOf(rsyncRelay.port), rsyncCopy])),
    bytes: rsyncRelay.takeBytes(),
  };
  for (const copy of [`${replica.tree}/`, rsyncCopy, batchCopy]) await expectEqual(tree, copy);
  return {
    publishing,
    follow,
    rsync,
    batch,
    duplicityBytes: packedSize(master.repository, before),
  };
}

async function measureBatch({ folder, tree, batchCopy }) {
  const file = path.join(folder, "batch-file");
  const writing = await run("rsync", ["-a", `--only-write-batch=${file}`, `${tree}/`, batchCopy]);
  const applying = await run("rsync", ["-a", `--read-batch=${file}`, batchCopy]);
  const batch = { bytes: statSync(file).size, writing, applying };
  rmSync(file);
  return batch;
}

async function expectEqual(tree, copy) {
  const { stdout } = await run("rsync", ["-a", "--dry-run", "--itemize-changes", `${tree}/`, copy]);
  if (stdout !== "") throw new Error(`${copy} is not like the tree:\n${stdout.slice(0, 500)}`);
}

/** One line in the middle of each file, spread over the tree, other files in each round. */
function changeSome(tree, paths, { count: changed, round }) {
  const step = Math.floor(paths.length / changed);
  for (let at = 0; at < changed; at++) {
    const file = path.join(tree, paths[at * step + (round % step)]);
    const descriptor = openSync(file, "r+");
    const text = `/* change ${round} of file ${at} */\n`;
    writeSync(descriptor, text, Math.floor(statSync(file).size / 2));
    closeSync(descriptor);
    utimesSync(file, FIRST_TIME + round, FIRST_TIME + round);
  }
}

/** Of the files that are new in the repository. */
function packedSize(repository, before) {
  const names = readdirSync(repository).filter((name) => !before.has(name));
  const packed = names.map((name) => gzipSync(readFileSync(path.join(repository, name))).length);
  return packed.reduce((sum, one) => sum + one, 0);
}

function tell(report, rounds, files) {
  const row = (words, show) => [words, ...rounds.map(show)];
  const took = (one) => `${seconds(one.seconds)} (CPU ${seconds(one.cpuSeconds)})`;
  report.table(
    ["", ...rounds.map(({ changed }) => `${count(changed)} of ${count(files)}`)],
    [
      row("a follow, bytes", ({ follow }) => bytes(follow.bytes)),
      row("requests", ({ follow }) => `${follow.report.requests.total}`),
      row("seconds", ({ follow }) => took(follow)),
      row("`rsync -a`, bytes", ({ rsync }) => bytes(rsync.bytes)),
      row("times those of a follow", ({ rsync, follow }) => ratio(rsync.bytes / follow.bytes)),
      row("seconds", ({ rsync }) => took(rsync)),
      row("rsync's batch, bytes", ({ batch }) => bytes(batch.bytes)),
      row("times those of a follow", ({ batch, follow }) => ratio(batch.bytes / follow.bytes)),
      row("seconds to apply", ({ batch }) => took(batch.applying)),
      row("duplicity's files, bytes", ({ duplicityBytes }) => bytes(duplicityBytes)),
      row("times those of a follow", (one) => ratio(one.duplicityBytes / one.follow.bytes)),
      row("the master: a cycle, backup included", ({ publishing }) => seconds(publishing.seconds)),
      row("the master: writing rsync's batch", ({ batch }) => took(batch.writing)),
    ],
  );
  const asPromised = rounds.find(({ changed }) => changed === PROMISED.changed);
  if (asPromised === undefined) return;
  const what = `Bytes of following ${PROMISED.changed} changed of ${count(files)} files`;
  const isKept = asPromised.follow.bytes <= PROMISED.bytes;
  report.verdict(isKept, what, bytes(asPromised.follow.bytes), `at most ${bytes(PROMISED.bytes)}`);
}
