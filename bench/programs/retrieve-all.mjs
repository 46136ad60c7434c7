/**
 * Fetches, checks, decodes and inflates every volume of a publication's newest chain, and throws it away. The argument is JSON:
 * the publication's folder, for its documents, and the sources with their shares.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { REPLICA_DEFAULTS } from "../../src/config/defaults.ts";
import { decodeFileTable } from "../../src/manifest/file-table.ts";
import { parseLedgerLine } from "../../src/manifest/ledger.ts";
import { ledgerPath, tablePath } from "../../src/manifest/paths.ts";
import { unpackPage } from "../../src/manifest/table.ts";
import { SourcePool } from "../../src/retrieve/source-pool.ts";
import { retrieveStripes } from "../../src/retrieve/stripes.ts";
import { openSource } from "../../src/store/open-source.ts";

const { publication, sources } = JSON.parse(process.argv[2]);
const nothing = () => undefined;
const runtime = {
  clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  random: Math.random,
  progress: nothing,
};

const files = await readVolumes();
const opened = sources.map(({ url, shares }) => {
  return { source: openSource({ url, limits: REPLICA_DEFAULTS.limits, runtime }), shares };
});
const pool = new SourcePool({ sources: opened, runtime });
const before = look();
let rawBytes = 0;
const { signal } = new AbortController();
for await (const { bytes } of retrieveStripes({ pool, requests: everyStripe(), signal }))
  rawBytes += bytes.length;
const after = look();
await Promise.all(opened.map(({ source }) => source.close()));
const spent = Object.entries(after).map(([name, value]) => [name, value - before[name]]);
process.stdout.write(
  JSON.stringify({ ...Object.fromEntries(spent), rawBytes, storedBytes: storedBytes() }),
);

/** The clock's time, that of all threads, and that of this one. */
function look() {
  const { user, system } = process.cpuUsage();
  const [nanoseconds] = readFileSync("/proc/self/schedstat", "utf8").split(" ");
  return {
    seconds: performance.now() / 1000,
    cpuSeconds: (user + system) / 1e6,
    mainSeconds: Number(nanoseconds) / 1e9,
  };
}

async function readVolumes() {
  const { session, newest } = JSON.parse(
    readFileSync(path.join(publication, "head"), "utf8").split("\n\n")[0],
  );
  const { chain } = newest;
  const ledger = readFileSync(path.join(publication, ledgerPath(session, chain)), "latin1");
  const located = [];
  for (const text of ledger.split("\n").slice(0, -1)) {
    const line = parseLedgerLine(Buffer.from(`${text}\n`, "latin1"));
    for (const page of await readPages(session, line))
      for (const file of decodeFileTable(page, line.shape))
        located.push({ session, chain, shape: line.shape, stream: "volumes", file });
  }
  return located;
}

async function readPages(session, { set, volumes }) {
  if (volumes.kind === "inline") return [await unpackPage(volumes.bytes)];
  const bytes = readFileSync(path.join(publication, tablePath("volumes", session, set)));
  let at = 0;
  const pages = volumes.pages.map(({ sizeBytes }) => bytes.subarray(at, (at += sizeBytes)));
  return Promise.all(pages.map(unpackPage));
}

function* everyStripe() {
  for (const file of files) for (const stripe of file.file.stripes.keys()) yield { file, stripe };
}

function storedBytes() {
  const stripes = files.flatMap(({ file }) => [...file.stripes]);
  return stripes.reduce((sum, { storedSizeBytes }) => sum + storedSizeBytes, 0);
}
