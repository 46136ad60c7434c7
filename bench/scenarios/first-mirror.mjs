/**
 * A fresh copy of many small files, of a full set alone and of a chain of increments as a replica finds it that joins
 * later. The contestants run in turn, round by round, so that what disturbs the machine disturbs all of them.
 */
import { utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { RESTORE_PROMISES, restoreWithDuplicity } from "../support/duplicity.mjs";
import { makeFolder, makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { bytes, list, median, ratio, timesAsLong } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { startRsyncDaemon } from "../support/rsync-daemon.mjs";
import { size } from "../support/sizes.mjs";
import { makeSourceTree } from "../support/source-tree.mjs";
import { emptyFolder } from "../support/workplace.mjs";

export const firstMirror = {
  name: "first-mirror",
  title: "A fresh copy of many small files",
  about:
    "`replica sync` into an empty folder from three file:// hosts, shape (2, 3), against programs that make the same copy. " +
    "Source-like text files of 4 kB on average; an increment changes 40. Seconds of every round; ratios are of the best rounds, in brackets of the medians.",
  peers: ["duplicity", "rsync", "tar", "casync"],
  sizes: {
    files: size(4000, 40_000),
    rounds: size(1, 3),
    increments: size(2, 24, 96),
    place: size(["memory"], ["memory"], ["memory", "disk"]),
  },
  notes: [
    "`duplicity restore` has no archive directory at the beginning, as on a fresh machine. `tar -xzf` reads one file of the same bytes, " +
      "`casync extract` a store of chunks in a local folder, `rsync -a` the tree itself or an rsync daemon on loopback.",
    "",
    "Where the time of a sync goes, by a profile of 2026-11-21 (1.1 s of 40 000 files, CPU over all threads 1.9 s, both cores busy but at the ends): the " +
      "kernel makes and fills 40 000 files in 0.65 s, inflating takes 0.25 s, V8's own compiling 0.25 s, the two build threads' code and bindings 0.4 s, " +
      "fetching and checking 0.2 s; start-up 0.09 s, planning 0.11 s and commit 0.05 s are not shared out. One thread that only opens, writes, dates and " +
      "closes such files takes 0.45 to 0.5 s, which is a seventh of `duplicity restore`.",
  ],
  run: async (bench) => {
    for (const place of bench.sizes.place) await measureIn(place, bench);
  },
};

/** What the project promises: so many times as fast as each. */
const PROMISES = [
  ["restore", "as fast as duplicity restore", RESTORE_PROMISES],
  ["rsync", "as fast as rsync -a", [1]],
  ["rsyncd", "as fast as rsync -a from an rsync daemon", [1.3]],
  ["tar", "as fast as tar -xzf", [1 / 1.5]],
];
const MEMORY_MAX_BYTES = 300e6;

const CHANGED_FILES = 40;

async function measureIn(place, { sizes, report, workplace, peers }) {
  const folder = workplace.folder(place);
  const tree = path.join(folder, "tree");
  const made = makeSourceTree(tree, sizes.files);
  const master = await makeMaster(folder, { tree, hosts: "folders" });
  const publishing = await master.publish();
  report.say(`publish: ${publishing.seconds.toFixed(1)} s`);
  const site = { folder, tree, master, peers, rounds: sizes.rounds, report };
  const where = `${sizes.files} files, ${bytes(made.bytes)}, in ${place}`;
  await race(site, { what: "a full set", where });
  for (let number = 1; number <= sizes.increments; number++) {
    changeSome(tree, made.paths, number);
    await master.publish();
  }
  const what = `a full set and ${sizes.increments} increments`;
  if (sizes.increments > 0) await race(site, { what, where });
  memoryVerdict(report, "master publish", publishing.peakBytes);
}

async function race(site, subject) {
  const { folder, tree, rounds, report } = site;
  const target = path.join(folder, "target");
  const daemon = await startRsyncDaemon(folder, tree);
  const contestants = await prepareContestants(site, daemon.url);
  const runs = Object.fromEntries(Object.keys(contestants).map((who) => [who, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [who, { prepare, copy }] of Object.entries(contestants)) {
      emptyFolder(target);
      prepare?.();
      await run("sync", ["-f", folder]);
      runs[who].push(await copy(target));
    }
    const shown = Object.entries(runs).map(
      ([who, all]) => `${who} ${all.at(-1).seconds.toFixed(2)} s`,
    );
    report.say(`round ${round + 1}: ${shown.join(", ")}`);
  }
  await daemon.stop();
  await compare(tree, target);
  tell(report, subject, contestants, runs);
}

/** The replica comes last, so that its copy is the one that is compared. */
async function prepareContestants({ folder, tree, master, peers }, rsyncUrl) {
  const archive = path.join(folder, "restore-archive");
  const replica = makeReplica(path.join(folder, "replica"), {
    sources: master.hosts.map(({ url }) => url),
    keyFile: master.keyFile,
    tree: path.join(folder, "target"),
  });
  const all = {
    restore: {
      words: "`duplicity restore`",
      copy: (target) => restoreWithDuplicity(master.repository, { archive, target }),
    },
    rsync: {
      words: "`rsync -a` of the folder",
      copy: (target) => run("rsync", ["-a", `${tree}/`, `${target}/`]),
    },
    rsyncd: {
      words: "`rsync -a` from an rsync daemon",
      copy: (target) => run("rsync", ["-a", rsyncUrl, `${target}/`]),
    },
    tar: await tarContestant(folder, tree),
    ...(peers.has("casync") ? { casync: await casyncContestant(folder, tree) } : {}),
    sync: {
      words: "`dupmirror replica sync`",
      prepare: () => replica.forgetState(),
      copy: () => replica.sync(),
    },
  };
  return all;
}

async function tarContestant(folder, tree) {
  const file = path.join(folder, "tree.tar.gz");
  await run("tar", ["-czf", file, "-C", tree, "."]);
  return { words: "`tar -xzf`", copy: (target) => run("tar", ["-xzf", file, "-C", target]) };
}

async function casyncContestant(folder, tree) {
  const store = `--store=${makeFolder(path.join(folder, "chunks.castr"))}`;
  const index = path.join(folder, "tree.caidx");
  await run("casync", ["make", "--with=unix", store, index, tree]);
  return {
    words: "`casync extract`",
    copy: (target) => run("casync", ["extract", store, index, target]),
  };
}

/** A fast copy of the wrong bytes is worth nothing. */
async function compare(tree, target) {
  await run("diff", ["-r", "--no-dereference", tree, target]);
}

function tell(report, { what, where }, contestants, runs) {
  const secondsOf = (who) => runs[who].map(({ seconds }) => seconds);
  const timesOf = (who) => timesAsLong(secondsOf(who), secondsOf("sync"));
  report.text(`From ${what}; ${where}:`);
  report.table(
    ["", "seconds", "CPU seconds", "times as long as a sync"],
    Object.entries(contestants).map(([who, { words }]) => {
      const cpu = median(runs[who].map(({ cpuSeconds }) => cpuSeconds)).toFixed(2);
      return [words, list(secondsOf(who)), cpu, timesOf(who).shown];
    }),
  );
  for (const [who, words, promises] of PROMISES) {
    for (const promised of runs[who] === undefined ? [] : promises) {
      const { best, shown } = timesOf(who);
      report.verdict(best >= promised, `Times ${words}, ${what}`, shown, ratio(promised));
    }
  }
  memoryVerdict(
    report,
    `replica sync, ${what}`,
    Math.max(...runs.sync.map(({ peakBytes }) => peakBytes)),
  );
}

function memoryVerdict(report, what, peakBytes) {
  const isKept = peakBytes <= MEMORY_MAX_BYTES;
  report.verdict(
    isKept,
    `Memory of ${what}`,
    bytes(peakBytes),
    `at most ${bytes(MEMORY_MAX_BYTES)}`,
  );
}

/** Spread over the tree, other ones each time. */
function changeSome(tree, paths, number) {
  for (let at = 0; at < CHANGED_FILES; at++) {
    const file = path.join(tree, paths[(number * 977 + at * 331) % paths.length]);
    writeFileSync(file, `/* version ${number} */\n`.repeat(100));
    utimesSync(file, 1_700_000_000 + number, 1_700_000_000 + number);
  }
}
