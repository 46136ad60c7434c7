import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { isMirrorError } from "../../src/errors.js";
import { FIRST_LINE_PREVIOUS, joinLedger, type LedgerLine } from "../../src/manifest/ledger.js";
import { ledgerPath } from "../../src/manifest/paths.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { type Bench, makeBench } from "./support/master-bench.js";

const FULL = "full.20231114T221320Z";
const TIMES = "20231114T221320Z.to.20231115T221320Z";

describe("publishing a repository that the master cannot read", () => {
  const random = new Random();

  it(`gives every file back from any k shares, and says that contents are not known (seed ${random.seed})`, async () => {
    const bench = makeEncrypted();
    const report = await bench.publish();
    expect(report.sets).toMatchObject([
      { name: FULL, isEncrypted: true, volumeCount: 2, entryCount: 0 },
      { name: `inc.${TIMES}`, isEncrypted: true, volumeCount: 1, entryCount: 0 },
    ]);
    const { publication, repository } = bench.config;
    const { lineage } = await checkPublication({ folders: [publication], repository, random });
    expect(lineage).toEqual([FULL, `inc.${TIMES}`]);
    expect(ledgerOf(bench).map(({ contents }) => contents)).toEqual([undefined, undefined]);
  });

  it.each([
    ["without a volume between others", "duplicity-full.20231114T221320Z.vol1.difftar.gpg"],
    ["without its signature file", "duplicity-full-signatures.20231114T221320Z.sigtar.gpg"],
  ])("refuses a set %s", async (_, name) => {
    const bench = makeEncrypted();
    rmSync(path.join(bench.config.repository, name));
    await expectInvalid(bench.publish(), FULL);
  });

  it.each([
    "duplicity-full.20231114T221320Z.vol2.difftar.gpg",
    "duplicity-full.20231114T221320Z.manifest.gpg",
    "duplicity-full-signatures.20231114T221320Z.sigtar.gpg",
  ])("refuses a set whose %s was cut short", async (name) => {
    const bench = makeEncrypted();
    truncateSync(path.join(bench.config.repository, name), 1000);
    await expectInvalid(bench.publish(), `${name} is cut short`);
  });

  it("refuses a set of which only some files are encrypted", async () => {
    const bench = makeEncrypted();
    const { repository } = bench.config;
    rmSync(path.join(repository, `duplicity-inc.${TIMES}.vol1.difftar.gpg`));
    writeFileSync(path.join(repository, `duplicity-inc.${TIMES}.vol1.difftar`), "plain");
    await expectInvalid(bench.publish(), "only one is encrypted");
    expect(readHead(bench.config.publication).newest.set).toMatchObject({ kind: "full" });
  });

  function makeEncrypted(): Bench {
    const folder = fastTemporaryFolder();
    const repository = path.join(folder, "repository");
    mkdirSync(repository);
    for (const name of [
      "duplicity-full.20231114T221320Z.vol1.difftar.gpg",
      "duplicity-full.20231114T221320Z.vol2.difftar.gpg",
      "duplicity-full-signatures.20231114T221320Z.sigtar.gpg",
      "duplicity-full.20231114T221320Z.manifest.gpg",
      `duplicity-inc.${TIMES}.vol1.difftar.gpg`,
      `duplicity-new-signatures.${TIMES}.sigtar.gpg`,
      `duplicity-inc.${TIMES}.manifest.gpg`,
    ]) {
      writeFileSync(path.join(repository, name), encryptedMessage(random.bytes(2000)));
    }
    const { duplicity } = makeBench(folder).config;
    return makeBench(folder, { duplicity: { ...duplicity, engine: "external" } });
  }
});

/** What has the form of one: a session key, and data in one packet. */
function encryptedMessage(data: Buffer): Buffer {
  const length = Buffer.alloc(5, 0xff);
  length.writeUInt32BE(data.length, 1);
  return Buffer.concat([Buffer.of(0xc1, 2, 3, 0, 0xd2), length, data]);
}

function ledgerOf({ config: { publication } }: Bench): LedgerLine[] {
  const { session, ledgers } = readHead(publication);
  return ledgers.flatMap(({ chain, lastLineHash: last }) => {
    const bytes = readFileSync(path.join(publication, ledgerPath(session, chain)));
    return joinLedger({ bytes, previous: FIRST_LINE_PREVIOUS, last });
  });
}

async function expectInvalid(publishing: Promise<unknown>, part: string): Promise<void> {
  const failure: unknown = await publishing.catch((error: unknown) => error);
  expect(isMirrorError(failure, "REPOSITORY_INVALID")).toBe(true);
  expect(String(failure)).toContain(part);
}
