/** One big image of which scattered pages have changed, brought up to date where the older one is. */
import { closeSync, mkdirSync, openSync, rmSync, utimesSync, writeSync } from "node:fs";
import path from "node:path";
import { makeFolder, makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { startFileServer } from "../support/file-server.mjs";
import { noise, writeNoise } from "../support/noise.mjs";
import { bytes, ratio, seconds } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { startRelay } from "../support/relay.mjs";
import { startRsyncDaemon, urlOf } from "../support/rsync-daemon.mjs";
import { size } from "../support/sizes.mjs";

export const image = {
  name: "image",
  title: "One big image, 1 % of it changed",
  about:
    "A file that does not compress; pages of 4 KiB scattered over it are replaced by others. Each program brings an older copy up to date over loopback; " +
    "a relay counts bytes in both directions. The seconds of the master are spent once for all replicas; rsync's daemon has nothing to prepare, and works for each. In memory.",
  peers: ["duplicity", "rsync", "zsync", "casync"],
  sizes: { "image-mib": size(32, 1024) },
  notes: [
    "What a page costs is what it takes with it: duplicity's blocks are 2 kB in a large file, rsync's 32 kB in one of 1 GiB (the square root of the size), " +
      "casync's chunks 64 kB on average.",
  ],
  run: measureImage,
};

const PAGE_BYTES = 4096;
const CHANGED_SHARE = 0.01;
const OLD_TIME = 1_600_000_000;
const NAME = "disk.img";

async function measureImage({ sizes, report, workplace, peers }) {
  const folder = workplace.folder();
  const sizeBytes = sizes["image-mib"] * 1024 * 1024;
  const tree = makeFolder(path.join(folder, "tree"));
  const site = { folder, tree, file: path.join(tree, NAME), sizeBytes };
  makeOldImage(site.file, sizeBytes);
  const rows = [["`dupmirror`, a follow", await measureFollow(site)]];
  rows.push(["`rsync -a` from an rsync daemon", await measureRsync(site)]);
  if (peers.has("zsync")) rows.push(["`zsync`", await measureZsync(site)]);
  if (peers.has("casync")) rows.push(["`casync extract --seed`", await measureCasync(site)]);
  const [[, ours]] = rows;
  const changedBytes = pagesOf(sizeBytes) * PAGE_BYTES;
  report.text(`${bytes(sizeBytes)}, of which ${bytes(changedBytes)} have changed:`);
  report.table(
    ["", "bytes", "times ours", "seconds", "times ours", "CPU", "seconds of the master"],
    rows.map(([words, one]) => [
      words,
      bytes(one.bytes),
      ratio(one.bytes / ours.bytes),
      seconds(one.seconds),
      ratio(one.seconds / ours.seconds),
      seconds(one.cpuSeconds),
      one.masterSeconds === undefined ? "" : seconds(one.masterSeconds),
    ]),
  );
}

function makeOldImage(file, sizeBytes) {
  writeNoise(file, sizeBytes, 1);
  utimesSync(file, OLD_TIME, OLD_TIME);
  return file;
}

function pagesOf(sizeBytes) {
  return Math.floor((sizeBytes / PAGE_BYTES) * CHANGED_SHARE);
}

/** One in every hundred pages, at another place in each hundred. */
function changePages({ file, sizeBytes }) {
  const count = pagesOf(sizeBytes);
  const fresh = noise(count * PAGE_BYTES, 2);
  const descriptor = openSync(file, "r+");
  for (let at = 0; at < count; at++) {
    const page = at * 100 + ((at * 37) % 100);
    writeSync(descriptor, fresh, at * PAGE_BYTES, PAGE_BYTES, page * PAGE_BYTES);
  }
  closeSync(descriptor);
}

/** Takes away what it made, as memory is dear. */
async function measureFollow(site) {
  const place = makeFolder(path.join(site.folder, "dupmirror"));
  const master = await makeMaster(place, { tree: site.tree });
  await master.publish();
  const daemon = await master.start();
  const relay = await startRelay(master.port);
  const replica = makeReplica(path.join(place, "replica"), {
    sources: [`http://127.0.0.1:${relay.port}/pub`],
    keyFile: master.keyFile,
  });
  await replica.sync();
  changePages(site);
  const { seconds: masterSeconds } = await master.trigger();
  relay.takeBytes();
  const measured = await replica.sync();
  const moved = relay.takeBytes();
  await compare(site, path.join(replica.tree, NAME));
  relay.close();
  await daemon.stop();
  rmSync(place, { recursive: true });
  return { ...measured, bytes: moved, masterSeconds };
}

async function measureRsync({ folder, tree, file, sizeBytes }) {
  const copy = makeFolder(path.join(folder, "rsync"));
  makeOldImage(path.join(copy, NAME), sizeBytes);
  const daemon = await startRsyncDaemon(folder, tree);
  const relay = await startRelay(daemon.port);
  const measured = await run("rsync", ["-a", urlOf(relay.port), `${copy}/`]);
  await compare({ file }, path.join(copy, NAME));
  relay.close();
  await daemon.stop();
  rmSync(copy, { recursive: true });
  return { ...measured, bytes: relay.takeBytes() };
}

async function measureZsync({ folder, tree, file, sizeBytes }) {
  const place = makeFolder(path.join(folder, "zsync"));
  const old = makeOldImage(path.join(place, "old.img"), sizeBytes);
  const control = path.join(tree, `${NAME}.zsync`);
  const making = await run("zsyncmake", ["-o", control, "-u", NAME, file]);
  const words = (url) => ["-q", "-i", old, "-o", path.join(place, NAME), `${url}/${NAME}.zsync`];
  const measured = await overHttp(tree, (url) =>
    run("zsync", words(url), { cwd: place, env: noProxy() }),
  );
  await compare({ file }, path.join(place, NAME));
  rmSync(control);
  rmSync(place, { recursive: true });
  return { ...measured, masterSeconds: making.seconds };
}

async function measureCasync({ folder, file, sizeBytes }) {
  const place = makeFolder(path.join(folder, "casync"));
  const old = makeOldImage(path.join(place, "old.img"), sizeBytes);
  const served = path.join(place, "served");
  mkdirSync(served);
  const store = path.join(served, "default.castr");
  const index = path.join(served, "disk.caibx");
  const making = await run("casync", ["make", `--store=${store}`, index, file]);
  const copy = path.join(place, NAME);
  const words = (url) => [
    "extract",
    `--seed=${old}`,
    `--store=${url}/default.castr`,
    `${url}/disk.caibx`,
    copy,
  ];
  const measured = await overHttp(served, (url) => run("casync", words(url), { env: noProxy() }));
  await compare({ file }, copy);
  rmSync(place, { recursive: true });
  return { ...measured, masterSeconds: making.seconds };
}

async function overHttp(folder, fetchFrom) {
  const server = await startFileServer(folder);
  const relay = await startRelay(server.port);
  const measured = await fetchFrom(`http://127.0.0.1:${relay.port}`);
  relay.close();
  server.close();
  return { ...measured, bytes: relay.takeBytes() };
}

/** What is on this machine is not behind a proxy. */
function noProxy() {
  const others = Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name));
  return Object.fromEntries(others);
}

async function compare({ file }, copy) {
  await run("cmp", [file, copy]);
}
