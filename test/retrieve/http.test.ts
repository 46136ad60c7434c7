import { hash } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { SourcePool } from "../../src/retrieve/source-pool.js";
import { retrieveStripes } from "../../src/retrieve/stripes.js";
import { openSource } from "../../src/store/open-source.js";
import { type FaultyServer, type Misbehaviour, startFaultyServer } from "../store/faulty-server.js";
import { HASTY_LIMITS, neverAborted, testRuntime } from "../store/runtime.js";
import { Random } from "../support/random.js";
import { allStripes, type Published, publish } from "./published.js";

const MIB = 1024 * 1024;
const published = publish([new Random(3).bytes(12 * MIB)], { k: 2, n: 3 });

type Fault = readonly [string, Misbehaviour];

const NEVER_ANSWERS: Fault = ["never answers", () => undefined];
const LOST_EVERYTHING: Fault = [
  "lost everything",
  (_, response) => void response.writeHead(404).end(),
];

const FAULTS: readonly Fault[] = [
  NEVER_ANSWERS,
  LOST_EVERYTHING,
  ["resets every connection", (request) => void request.socket.resetAndDestroy()],
  ["has an error of its own", (_, response) => void response.writeHead(500).end()],
  ["ignores ranges", (_, response) => void response.end(new Uint8Array(6 * MIB))],
  [
    "gives other bytes",
    (request, response) => {
      const [start = 0, end = 0] = (request.headers.range ?? "").slice(6).split("-").map(Number);
      const range = `bytes ${start}-${end}/${6 * MIB}`;
      response.writeHead(206, { "content-range": range }).end(new Uint8Array(end - start + 1));
    },
  ],
];

describe("three HTTP sources of one share each", () => {
  it.each(FAULTS)("give every byte while one of them %s", async (_, fault) => {
    const { contents, shares } = await published;
    const servers = await Promise.all(shares.map((files) => startFaultyServer(entries(files))));
    servers[0]?.misbehave(fault);

    const bytes = await retrieveFrom(servers);

    expect(hash("sha256", bytes)).toBe(hash("sha256", contents[0] ?? ""));
  });

  it.each([NEVER_ANSWERS, LOST_EVERYTHING])(
    "are too few while two of them %s",
    async (_, fault) => {
      const { shares } = await published;
      const servers = await Promise.all(shares.map((files) => startFaultyServer(entries(files))));
      for (const server of servers.slice(0, 2)) server.misbehave(fault);

      await expect(retrieveFrom(servers)).rejects.toMatchObject({ code: "SHARES_TOO_FEW" });
    },
  );
});

async function retrieveFrom(servers: readonly FaultyServer[]): Promise<Buffer> {
  const runtime = testRuntime();
  const sources = servers.map(({ url }, share) => {
    const source = openSource({ url, name: `s${share}`, limits: HASTY_LIMITS, runtime });
    onTestFinished(() => source.close());
    return { source, shares: [share] };
  });
  const stripes = retrieveStripes({
    pool: new SourcePool({ sources, runtime }),
    requests: allStripes(await published),
    signal: neverAborted(),
    lookaheadBytes: 6 * MIB,
  });
  const parts: Uint8Array[] = [];
  for await (const { bytes } of stripes) parts.push(bytes);
  return Buffer.concat(parts);
}

function entries(files: Published["shares"][number]): Record<string, Uint8Array> {
  return Object.fromEntries(files);
}
