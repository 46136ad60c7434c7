import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { loadReplicaConfig, type ReplicaMirror } from "../../src/config/replica.js";
import { SourceShelf } from "../../src/replica/sources.js";
import { Rests } from "../../src/store/resting-source.js";
import type { Source } from "../../src/store/source.js";
import { sampleHead } from "../manifest/samples.js";
import { makeCertificates } from "../store/certificates.js";
import { startFaultyServer } from "../store/faulty-server.js";
import { neverAborted, testRuntime } from "../store/runtime.js";
import { temporaryFolder } from "../support/temporary.js";

const HEAD = Buffer.from("a head\n");

describe("the sources of a replica", () => {
  it("are asked as the configuration says, those that only the head names without any secret", async () => {
    const certificates = makeCertificates();
    const server = await startFaultyServer({}, { certificates });
    const stranger = await startFaultyServer();
    const seen: (string | undefined)[] = [];
    for (const one of [server, stranger]) {
      one.misbehave((request, response) => {
        seen.push(request.headers.authorization);
        response.end(HEAD);
      });
    }
    const { client, caFile } = certificates;
    const auth = { user: "me", passwordFile: "password" };
    const mirror = configured([{ url: server.url, auth, tls: { caFile, ...client } }]);
    const head = sampleHead({
      sources: [{ name: "stranger", url: stranger.url, shares: [0] }],
    });

    const sources = shelf(mirror, new Rests()).sources(head);

    expect(await Promise.all(sources.map(readHead))).toStrictEqual([HEAD, HEAD]);
    const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    expect(seen.toSorted()).toStrictEqual([basic, undefined]);
  });

  it("are left alone in the next cycle when they wanted that in the last one", async () => {
    const server = await startFaultyServer({ head: HEAD });
    server.misbehave((_, response) => void response.writeHead(503, { "retry-after": "60" }).end());
    const mirror = configured([{ url: server.url }]);
    const rests = new Rests();
    const [first] = shelf(mirror, rests).sources(undefined);
    const [second] = shelf(mirror, rests).sources(undefined);
    const [unaware] = shelf(mirror, new Rests()).sources(undefined);

    await expect(readHead(first)).rejects.toThrow("answers with status 503");
    server.misbehave(undefined);
    await expect(readHead(second)).rejects.toThrow("wants to be left alone for 1m");
    expect(server.requests).toHaveLength(1);
    expect(await readHead(unaware)).toStrictEqual(HEAD);
  });
});

function configured(sources: readonly object[]): ReplicaMirror {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "password"), "secret\n", { mode: 0o600 });
  const mirror = {
    ...{ name: "pub", tree: "/t", stateDirectory: "/s", trust: { keyFile: "/k" } },
    sources,
  };
  const text = stringify({ mirrors: [mirror] });
  const [loaded] = loadReplicaConfig(text, path.join(folder, "replica.yaml")).mirrors;
  if (loaded === undefined) throw new Error("no mirror");
  return loaded;
}

function shelf(mirror: ReplicaMirror, rests: Rests): SourceShelf {
  const made = new SourceShelf(mirror, testRuntime(), rests);
  onTestFinished(() => made.close());
  return made;
}

async function readHead(source: Source | undefined): Promise<Uint8Array | undefined> {
  return (await source?.readHead({ signal: neverAborted() }))?.bytes;
}
