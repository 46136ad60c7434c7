import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { makeTree } from "../support/trees.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { makeBench, makeHosts } from "./support/master-bench.js";
import { NO_DUPLICITY } from "./support/repositories.js";

const HOUR_MS = 3_600_000;

describe.skipIf(NO_DUPLICITY)(`retaining chains ${NO_DUPLICITY ?? ""}`, () => {
  it("drops an old chain from the head at once, and its files after the grace time", async () => {
    const folder = fastTemporaryFolder();
    const retain = { chains: 1, graceMs: HOUR_MS };
    const bench = makeBench(folder, { retain, hosts: makeHosts(folder, 3) });
    const { publication, repository } = bench.config;
    const places = [publication, ...[0, 1, 2].map((share) => path.join(folder, `host-${share}`))];
    makeTree(bench.config.tree, { files: 20 });
    const { session = "" } = await bench.publish();
    const [old = ""] = readdirSync(path.join(publication, "shares/0", session));
    expect(await bench.publish({ full: true })).toMatchObject({ removed: [] });
    expect(readHead(publication).ledgers).toHaveLength(1);
    expect(filesOf(places, old)).not.toEqual([]);
    bench.runtime.offsetMs = 2 * HOUR_MS;
    const later = await bench.publish();
    expect(later.removed).toContain(`ledger/${session}/${old}.jsonl`);
    expect(filesOf(places, old)).toEqual([]);
    const checked = await checkPublication({
      folders: [publication],
      repository,
      random: new Random(),
    });
    expect(checked.sets).toHaveLength(2);
  });

  it("removes what a lost session left, after the grace time", async () => {
    const bench = makeBench(fastTemporaryFolder(), { retain: { chains: 2, graceMs: 0 } });
    const { publication } = bench.config;
    const leftover = path.join(publication, "shares/0/0000/20200101T000000Z");
    makeTree(bench.config.tree, { files: 5 });
    mkdirSync(leftover, { recursive: true });
    writeFileSync(path.join(leftover, "v0"), "x");
    expect((await bench.publish()).removed).toEqual(["shares/0/0000/20200101T000000Z"]);
    expect(existsSync(path.dirname(leftover))).toBe(false);
  });
});

/** Every file below `folders` of the chain `name`; emptied folders do no harm. */
function filesOf(folders: readonly string[], name: string): string[] {
  return folders
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => file.includes(name));
}
