/** A fresh sync from k of n sources, of which some are dead, slow or wrong, against all of them good. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { makeMaster, makeReplica } from "../support/dupmirror.mjs";
import { SLOW_BYTES_PER_SECOND, startFileServer } from "../support/file-server.mjs";
import { noise } from "../support/noise.mjs";
import { bytes, list, median, ratio } from "../support/numbers.mjs";
import { freePort, run } from "../support/processes.mjs";
import { size } from "../support/sizes.mjs";

const SHAPE = { k: 3, n: 6 };
const LIMITS = { connect: "2s", idle: "5s" };

export const badSources = {
  name: "bad-sources",
  title: "Sources that are dead, slow or wrong",
  about:
    `A fresh \`replica sync\` of files that do not compress, shape (${SHAPE.k}, ${SHAPE.n}), one source for each share over HTTP on loopback. ` +
    "`dead` are two data shares: one refuses connections, the other takes them and never answers " +
    `(limits: connect ${LIMITS.connect}, idle ${LIMITS.idle}); \`slow\` is the third data share at ${bytes(SLOW_BYTES_PER_SECOND)}/s; \`corrupt\` has one ` +
    "bit wrong in every answer: the third data share, or a parity share beside dead ones.",
  peers: [],
  sizes: { "sources-mib": size(6, 48), rounds: size(1, 3) },
  notes: [
    "With all four at once the slow source is one of the three that are left: its share at its speed is the least that a sync can take.",
  ],
  run: measureSources,
};

/** What the sources of the first shares are; the others are good. */
const CASES = [
  ["all good", {}],
  ["two dead", { 0: "refusing", 1: "silent" }],
  ["one slow", { 2: "slow" }],
  ["one corrupt", { 2: "corrupt" }],
  ["two dead, one slow", { 0: "refusing", 1: "silent", 2: "slow" }],
  ["two dead, one corrupt", { 0: "refusing", 1: "silent", 3: "corrupt" }],
  ["two dead, one slow, one corrupt", { 0: "refusing", 1: "silent", 2: "slow", 3: "corrupt" }],
];

async function measureSources({ sizes, report, workplace }) {
  const folder = workplace.folder();
  const tree = path.join(folder, "tree");
  mkdirSync(tree);
  const fileBytes = (sizes["sources-mib"] * 1024 * 1024) / 4;
  for (let number = 0; number < 4; number++)
    writeFileSync(path.join(tree, `file-${number}`), noise(fileBytes, number));
  const master = await makeMaster(path.join(folder, "master"), { tree, ...SHAPE, hosts: "http" });
  await master.publish();
  const replica = makeReplica(path.join(folder, "replica"), {
    sources: [],
    keyFile: master.keyFile,
    limits: LIMITS,
  });
  const cases = [];
  for (const [name, faults] of CASES) {
    cases.push({ name, ...(await measureCase({ master, replica, faults, rounds: sizes.rounds })) });
    await run("diff", ["-r", tree, replica.tree]);
    report.say(`${name}: ${list(cases.at(-1).seconds)} s`);
  }
  const [good] = cases;
  const times = (one) => ratio(median(one.seconds) / median(good.seconds));
  report.table(
    ["sources", "seconds of each round", "times as long", "bytes", "times as many"],
    cases.map((one) => [
      one.name,
      list(one.seconds),
      times(one),
      bytes(one.bytes),
      ratio(one.bytes / good.bytes),
    ]),
  );
}

async function measureCase({ master, replica, faults, rounds }) {
  const servers = [];
  const sources = [];
  for (const { share, folder, url } of master.hosts) {
    const bad = await badSource(faults[share], folder, servers);
    sources.push({ name: `host-${share}`, url: bad ?? url, shares: [share] });
  }
  replica.readFrom(sources);
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    replica.forget();
    runs.push(await replica.sync());
  }
  for (const server of servers) server.close();
  return {
    seconds: runs.map(({ seconds }) => seconds),
    bytes: median(runs.map(({ report }) => report.bytes.total)),
  };
}

/** A URL; `undefined` where the source is good. */
async function badSource(fault, folder, servers) {
  if (fault === undefined) return undefined;
  if (fault === "refusing") return `http://127.0.0.1:${await freePort()}`;
  servers.push(await startFileServer(folder, fault));
  return servers.at(-1).url;
}
