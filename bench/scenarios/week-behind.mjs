/** A replica that was away for a week of small sets, of the whole tree and of a part of it; and what a newcomer fetches now. */
import path from "node:path";
import { RESTORE_PROMISES, restoreWithDuplicity } from "../support/duplicity.mjs";
import { fileUrl, makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { GeneratedRepository } from "../support/generated-repository.mjs";
import { bytes, count, list, ratio, seconds, timesAsLong } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { startRelay } from "../support/relay.mjs";
import { startRsyncDaemon, urlOf } from "../support/rsync-daemon.mjs";
import { size } from "../support/sizes.mjs";
import { emptyFolder } from "../support/workplace.mjs";

export const weekBehind = {
  name: "week-behind",
  title: "One week behind, and a part of the tree",
  about:
    "A set every quarter of an hour (a week has 672), each with 30 files of 1 kB rewritten, over a generated tree of empty files; `master run` over HTTP, " +
    "shape (2, 3). The part is 5 % of the tree (`include`). rsync brings older copies of the same up to date from a daemon. A relay counts bytes in " +
    "both directions. At the end a newcomer makes its first copy of the whole tree, as `duplicity restore` does of the same repository, in turn. In memory.",
  peers: ["rsync", "duplicity"],
  sizes: {
    "week-files": size(2000, 40_000),
    sets: size(20, 672),
    "week-rounds": size(1, 3),
  },
  notes: [],
  run: measureWeek,
};

const CHANGED = 30;
const CHANGED_BYTES = 1000;

async function measureWeek({ sizes, report, workplace }) {
  const folder = workplace.folder();
  const files = sizes["week-files"];
  const master = await makeMaster(path.join(folder, "master"), { engine: "external" });
  const repository = new GeneratedRepository(master.repository, files);
  repository.writeFull();
  await master.publish();
  const daemon = await master.start();
  const relay = await startRelay(master.port);
  const sources = [`http://127.0.0.1:${relay.port}/pub`];
  const place = (name) => path.join(folder, name);
  const replica = (name, more) =>
    makeReplica(place(name), { sources, keyFile: master.keyFile, ...more });
  const include = partOf(files);
  const whole = replica("whole");
  const part = replica("part", { include: [`${include}/**`] });
  const newcomer = replica("newcomer", { include: [`${include}/**`] });
  for (const one of [whole, part]) await one.sync();
  const copies = { whole: `${place("rsync-whole")}/`, part: `${place("rsync-part")}/` };
  await run("rsync", ["-a", `${whole.tree}/`, copies.whole]);
  await run("rsync", ["-a", `${part.tree}/`, copies.part]);
  for (let set = 0; set < sizes.sets; set++)
    repository.writeIncrement({
      count: CHANGED,
      among: files,
      shift: set * 7,
      moreBytes: CHANGED_BYTES,
    });
  const publishing = await master.trigger();
  report.say(`${sizes.sets} sets published in ${seconds(publishing.seconds)}`);
  const ours = [];
  for (const one of [whole, part, newcomer]) {
    relay.takeBytes();
    ours.push({ ...(await one.sync()), bytes: relay.takeBytes() });
  }
  const theirs = await measureRsync(folder, whole.tree, copies, include);
  relay.close();
  await daemon.stop();
  tell(report, { ours, theirs, sets: sizes.sets, files });
  tellRace(report, await raceRestore(folder, master, sizes["week-rounds"]), sizes.sets);
}

/** Both from local folders, in turn. */
async function raceRestore(folder, master, rounds) {
  const fresh = makeReplica(path.join(folder, "fresh"), {
    sources: [fileUrl(master.publication)],
    keyFile: master.keyFile,
  });
  const restored = path.join(folder, "restored");
  const places = { archive: path.join(folder, "archive"), target: restored };
  const runs = { restore: [], sync: [] };
  for (let round = 0; round < rounds; round++) {
    emptyFolder(restored);
    runs.restore.push(await restoreWithDuplicity(master.repository, places));
    fresh.forget();
    runs.sync.push(await fresh.sync());
  }
  await run("diff", ["-r", "--no-dereference", restored, fresh.tree]);
  return runs;
}

function tellRace(report, runs, sets) {
  const [theirs, ours] = [runs.restore, runs.sync].map((all) => all.map((one) => one.seconds));
  report.text("The whole tree, for the first time:");
  report.table(
    ["", "seconds"],
    [
      ["`duplicity restore`", list(theirs)],
      ["`dupmirror replica sync`", list(ours)],
    ],
  );
  const { best, shown } = timesAsLong(theirs, ours);
  for (const promised of RESTORE_PROMISES) {
    const what = `Times as fast as duplicity restore, a full set and ${sets} small ones`;
    report.verdict(best >= promised, what, shown, ratio(promised));
  }
}

/** Folders that hold one twentieth of the tree, as a pattern. */
function partOf(files) {
  return files < 20_000 ? "part-0000/folder-00" : "part-0000/folder-0?";
}

async function measureRsync(folder, tree, copies, include) {
  const daemon = await startRsyncDaemon(folder, tree);
  const relay = await startRelay(daemon.port);
  const only = ["--include=/part-0000/", `--include=/${include}/***`, "--exclude=*"];
  const runs = [];
  const copyTo = async (words, copy) => {
    const measured = await run("rsync", ["-a", ...words, urlOf(relay.port), copy]);
    runs.push({ ...measured, bytes: relay.takeBytes() });
  };
  await copyTo([], copies.whole);
  await run("diff", ["-r", tree, copies.whole]);
  await copyTo(only, copies.part);
  emptyFolder(copies.part);
  await copyTo(only, copies.part);
  relay.close();
  await daemon.stop();
  return runs;
}

function tell(report, { ours, theirs, sets, files }) {
  const words = [
    `the whole tree, ${sets} sets behind`,
    `5 % of it, ${sets} sets behind`,
    "5 % of it, for the first time",
  ];
  report.text(`A tree of ${count(files)} files:`);
  report.table(
    [
      "",
      "strategy",
      "bytes",
      "requests",
      "seconds",
      "rsync, bytes",
      "times ours",
      "rsync, seconds",
      "times ours",
    ],
    ours.map((one, at) => {
      const other = theirs[at];
      return [
        words[at],
        one.report.strategy,
        bytes(one.bytes),
        `${one.report.requests.total}`,
        seconds(one.seconds),
        bytes(other.bytes),
        ratio(other.bytes / one.bytes),
        seconds(other.seconds),
        ratio(other.seconds / one.seconds),
      ];
    }),
  );
}
