/** Little that would become much: what a replica is sent may take time in proportion to its size, but no memory. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ContentsEntry } from "../../src/manifest/contents.js";
import { KEYS as MASTER_KEYS, makeBench } from "../master/support/master-bench.js";
import { directoryEntry, fileEntry, run } from "../replica/support/entries.js";
import { model, file as modelFile } from "../replica/support/model.js";
import { KEYS, MIRROR, type RawSet, TestPublication } from "../replica/support/publication.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { fileUrl, makeReplica, type Replica } from "../support/workspace.js";
import { file, folder, NO_GPG, PASSPHRASE, raw, stopAgent, writeSet } from "./support/hand-made.js";
import { measureDupmirror } from "./support/peak-memory.js";

const MIB = 2 ** 20;
const TREE = model({ f: modelFile("other") });

/** Over what a sync of two small sets takes. */
const GROWTH_MAX_BYTES = 160 * MIB;

type Bomb = Omit<RawSet, "set">;

function literals(count: number): Uint8Array {
  const commands = Buffer.alloc(2 * count, 1);
  return Buffer.concat([Buffer.of(0x72, 0x73, 0x02, 0x36), commands, Buffer.of(0)]);
}

function diff(bytes: Uint8Array, sizeBytes: number): Bomb {
  const data = [run(1, 0, bytes.length)];
  return { entries: [fileEntry("diff", "f", { sizeBytes, data })], volumes: [bytes] };
}

function longPaths(count: number): ContentsEntry[] {
  const deep = Array.from({ length: 15 }, (_, at) =>
    directoryEntry(`${"d".repeat(250)}/`.repeat(at) + "d".repeat(250)),
  );
  const last = `${"d".repeat(250)}/`.repeat(15);
  const many = Array.from({ length: count }, (_, at) =>
    directoryEntry(`${last}${String(at).padStart(7, "0")}`),
  );
  return [...deep, ...many];
}

const HARMLESS: readonly (readonly [string, "plain" | "gzip", () => Bomb])[] = [
  [
    "a gzip volume of 200 MiB of nothing before a file",
    "gzip",
    () => ({
      entries: [fileEntry("snapshot", "g", { sizeBytes: 4, data: [run(1, 200 * MIB, 4)] })],
      volumes: [Buffer.alloc(200 * MIB + 512)],
    }),
  ],
  ["a delta of eight million literals", "plain", () => diff(literals(8 * MIB), 8 * MIB)],
  [
    "a hundred thousand pieces",
    "plain",
    () => ({
      entries: [
        fileEntry("snapshot", "g", {
          sizeBytes: 150_000,
          data: Array.from({ length: 100_000 }, (_, at) => run(1, 512 * at, 1 + (at % 2))),
        }),
      ],
      volumes: [Buffer.alloc(512 * 100_000)],
    }),
  ],
  [
    "two thousand paths as long as can be",
    "plain",
    () => ({ entries: longPaths(2000), volumes: [Buffer.alloc(512)] }),
  ],
];

describe("a replica in little memory", () => {
  test.each(HARMLESS)("is brought through %s", async (_, wrapping, makeBomb) => {
    const { replica, publication } = await makeSite(wrapping);
    const { peakBytes: usual } = await measureDupmirror(syncOf(replica));
    await publication.addRaw({ set: publication.nextIncrement(), ...makeBomb() }, TREE);
    publishNow(publication);
    const { result, peakBytes } = await measureDupmirror(syncOf(replica));
    expect(result).toMatchObject({ exitCode: 0 });
    expect(peakBytes).toBeLessThan(usual + GROWTH_MAX_BYTES);
  });
});

test.skipIf(NO_GPG)(
  `an encrypted volume of 200 MiB of nothing takes little memory ${NO_GPG ?? ""}`,
  async () => {
    const work = fastTemporaryFolder();
    const gnupgHome = path.join(work, "gnupg");
    onTestFinished(() => stopAgent(gnupgHome));
    const { duplicity } = makeBench(work).config;
    const master = makeBench(work, { duplicity: { ...duplicity, engine: "external" } });
    const { repository } = master.config;
    const first = { times: "full.20231114T221320Z", volumes: [[folder(""), file("f", PASSED)]] };
    writeSet(repository, gnupgHome, { ...first, wrap: "gpg" });
    await master.publish();
    const replica = encryptedReplica(work);
    const { result: before, peakBytes: usual } = await measureDupmirror(syncOf(replica));
    expect(before).toMatchObject({ exitCode: 0 });
    const times = "inc.20231114T221320Z.to.20231114T221500Z";
    const volumes = [[file("g", PASSED), raw(Buffer.alloc(200 * MIB))]];
    writeSet(repository, gnupgHome, { times, volumes, wrap: "gpg" });
    await master.publish();
    const { result, peakBytes } = await measureDupmirror(syncOf(replica));
    expect(result).toMatchObject({ exitCode: 0 });
    expect(existsSync(path.join(replica.tree, "g"))).toBe(true);
    expect(peakBytes).toBeLessThan(usual + GROWTH_MAX_BYTES);
  },
);

const PASSED = Buffer.from("passed");

function encryptedReplica(work: string): Replica {
  const passphraseFile = path.join(work, "passphrase");
  writeFileSync(passphraseFile, PASSPHRASE);
  const keyFile = path.join(work, "key");
  writeFileSync(keyFile, MASTER_KEYS.verifierKey);
  const sources = [fileUrl(path.join(work, "publication"))];
  return makeReplica(path.join(work, "replica"), {
    sources,
    keyFile,
    more: { decryption: { passphraseFile } },
  });
}

function syncOf(replica: Replica): string[] {
  return ["replica", "sync", "-c", replica.configFile];
}

/** The publication's own clock stands still, long ago. */
function publishNow(publication: TestPublication): void {
  publication.publish({ publishedAt: Date.now(), expiresAt: Date.now() + 3_600_000 });
}

async function makeSite(wrapping: "plain" | "gzip") {
  const work = fastTemporaryFolder();
  const publication = new TestPublication(`${work}/publication`, { wrapping, pageEntries: 4000 });
  await publication.addFull(TREE);
  publishNow(publication);
  const keyFile = `${work}/key`;
  writeFileSync(keyFile, KEYS.verifierKey);
  const replica = makeReplica(work, {
    sources: [fileUrl(publication.folder)],
    keyFile,
    more: { name: MIRROR },
  });
  return { work, publication, replica };
}
