import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256, toBase64url } from "../../src/bytes/digest.js";
import { lockState } from "../../src/daemon/lock.js";
import { PACK_SIZE_BYTES } from "../../src/limits.js";
import { type AuditOptions, auditOnce } from "../../src/master/audit.js";
import { type AuditReport, damageLeft } from "../../src/master/audit-report.js";
import { HOST_KINDS, type OpenedHost, openFolder } from "../support/host-kinds.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder, lastingFolder, removeFolder } from "../support/temporary.js";
import { checkPublication, readHead } from "./support/check-publication.js";
import { type Bench, makeBench } from "./support/master-bench.js";
import {
  backUpTo,
  copyRepository,
  DAY_SECONDS,
  FIRST_SET_TIME,
  makeRepository,
  NO_DUPLICITY,
} from "./support/repositories.js";

describe.skipIf(NO_DUPLICITY)(`an audit ${NO_DUPLICITY ?? ""}`, () => {
  const made = lastingFolder();
  const random = new Random();
  const what = `(SEED=${random.seed})`;
  beforeAll(() => makeRepository(made, { increments: 2 }));
  afterAll(() => removeFolder(made));

  interface AuditBench extends Bench {
    /** The publication, then the hosts. */
    readonly folders: readonly string[];
    audit(options?: Partial<AuditOptions>): Promise<AuditReport>;
  }

  /** A master that has published three sets to hosts with one share each. */
  async function makeAudited(opened: readonly OpenedHost[], k: number): Promise<AuditBench> {
    const folder = fastTemporaryFolder();
    copyRepository(made, folder);
    const { duplicity } = makeBench(folder).config;
    const hosts = opened.map(({ url, access }, share) => ({
      ...{ name: `host-${share}`, url, shares: [share], ...access },
    }));
    const bench = makeBench(folder, {
      hosts,
      shares: { k, n: opened.length },
      duplicity: { ...duplicity, engine: "external" },
    });
    const report = await bench.publish();
    expect(report.hosts.map(({ error }) => error)).toEqual(hosts.map(() => undefined));
    const { config, runtime } = bench;
    const order = { config, runtime, repair: false, sample: 100, seed: random.seed } as const;
    const { signal } = new AbortController();
    return {
      ...bench,
      folders: [config.publication, ...opened.map((host) => host.folder)],
      audit: (options = {}) => auditOnce({ ...order, signal, ...options }),
    };
  }

  const findingsOf = (report: AuditReport): string[] =>
    report.places.flatMap(({ name, findings }) =>
      findings.map(({ kind, path: file, isRepaired }) =>
        [name, kind, file, ...(isRepaired ? ["repaired"] : [])].join(" "),
      ),
    );

  const contentsOf = (folder: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name))
        .map((file) => [path.relative(folder, file), toBase64url(sha256(readFileSync(file)))]),
    );

  const packsOf = (folder: string, share: number): string[] => {
    const { session } = readHead(folder);
    const place = `shares/${share}/${session}/20231114T221320Z`;
    const names = readdirSync(path.join(folder, place)).sort();
    return names.map((name) => `${place}/${name}`);
  };

  function spoil(file: string, at: number): void {
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    writeFileSync(file, bytes);
  }

  describe.each(HOST_KINDS)("of a host that is $kind", ({ skipped, open }) => {
    it.skipIf(skipped)(`finds and repairs what can befall it ${skipped ?? what}`, async () => {
      const bench = await makeAudited([openFolder(), await open(), openFolder()], 2);
      const [, , host = ""] = bench.folders;
      const before = contentsOf(host);
      expect(findingsOf(await bench.audit())).toEqual([]);
      const [records = "", volumes = ""] = packsOf(host, 1);
      const file = (name: string): string => path.join(host, name);
      const ledger = `ledger/${readHead(host).session}/20231114T221320Z.jsonl`;
      const rounds: readonly Readonly<Record<string, () => void>>[] = [
        {
          [`rotten ${volumes}`]: () => spoil(file(volumes), random.below(1000)),
          [`missing ${records}`]: () => rmSync(file(records)),
          [`rotten ${ledger}`]: () => spoil(file(ledger), 30),
          "missing head": () => rmSync(file("head")),
        },
        {
          [`short ${volumes}`]: () => truncateSync(file(volumes), 1000),
          // Somebody else's, and longer than ours.
          [`rotten ${records}`]: () => writeFileSync(file(records), random.bytes(100_000)),
          "missing key.pub": () => rmSync(file("key.pub")),
          "rotten head": () => writeFileSync(file("head"), "not ours\n"),
        },
      ];
      for (const round of rounds) {
        for (const damage of Object.values(round)) damage();
        const expected = Object.keys(round).map((finding) => `host-1 ${finding}`);
        const found = await bench.audit({ sample: "all" });
        expect(findingsOf(found).sort(), what).toEqual(expected.sort());
        const repaired = await bench.audit({ sample: "all", repair: true });
        expect(findingsOf(repaired).sort()).toEqual(expected.map((one) => `${one} repaired`));
        expect(contentsOf(host)).toEqual(before);
      }
    });
  });

  describe("of four hosts, any two of which suffice", () => {
    const openAll = () => [openFolder(), openFolder(), openFolder(), openFolder()];

    it(`repairs the publication from them, and them from each other ${what}`, async () => {
      const bench = await makeAudited(openAll(), 2);
      const before = bench.folders.map(contentsOf);
      const [publication = "", ...hosts] = bench.folders;
      for (const share of [0, 1, 2, 3]) {
        for (const pack of packsOf(publication, share)) spoil(path.join(publication, pack), 500);
      }
      for (const share of [1, 3]) {
        for (const pack of packsOf(hosts[share] ?? "", share)) {
          spoil(path.join(hosts[share] ?? "", pack), 500);
        }
      }
      const found = await bench.audit({ sample: "all" });
      expect(findingsOf(found)).toHaveLength(8 + 4);
      const repaired = await bench.audit({ sample: "all", repair: true });
      expect(damageLeft(repaired), what).toEqual([]);
      expect(bench.folders.map(contentsOf)).toEqual(before);
    });

    it(`makes a publication again that is lost, and goes on ${what}`, async () => {
      const bench = await makeAudited(openAll(), 2);
      const [publication = "", , lost = ""] = bench.folders;
      const before = contentsOf(publication);
      rmSync(publication, { recursive: true });
      rmSync(path.join(lost, "shares"), { recursive: true });
      const repaired = await bench.audit({ repair: true });
      expect(damageLeft(repaired), what).toEqual([]);
      expect(contentsOf(publication)).toEqual(before);
      expect(await bench.publish()).toMatchObject({ published: "nothing", generation: 1 });
      const { repository } = bench.config;
      const { lineage } = await checkPublication({ folders: [publication], repository, random });
      expect(lineage).toHaveLength(3);
    });

    it("says what is lost when fewer than two are good, and leaves it as it is", async () => {
      const bench = await makeAudited(openAll(), 2);
      const places = bench.folders.map((folder, at) => ({ folder, share: at - 1 }));
      for (const { folder, share } of places) {
        const shares = share < 0 ? [0, 1, 2] : [share];
        for (const one of shares.filter((number) => number < 3)) {
          for (const pack of packsOf(folder, one)) spoil(path.join(folder, pack), 500);
        }
      }
      const before = bench.folders.map(contentsOf);
      const report = await bench.audit({ sample: "all", repair: true });
      const left = damageLeft(report);
      expect(left).toHaveLength(6 + 6);
      expect(left.every(({ isLost }) => isLost)).toBe(true);
      expect(left[0]?.error).toMatch(/1 good shares are at hand, 2 needed/);
      expect(bench.folders.map(contentsOf)).toEqual(before);
    });
  });

  it("brings a host that is behind to the newest head, and fills one that was emptied", async () => {
    const bench = await makeAudited([openFolder(), openFolder(), openFolder()], 2);
    const [, stale = "", emptied = ""] = bench.folders;
    const old = readFileSync(path.join(stale, "head"));
    const before = contentsOf(emptied);
    bench.runtime.offsetMs = 4 * 86_400_000;
    await bench.publish();
    writeFileSync(path.join(stale, "head"), old);
    for (const name of readdirSync(emptied)) rmSync(path.join(emptied, name), { recursive: true });
    const found = findingsOf(await bench.audit());
    expect(found).toContain("host-0 stale head");
    expect(found).toContain("host-1 missing head");
    expect(damageLeft(await bench.audit({ repair: true }))).toEqual([]);
    expect(readHead(stale).generation).toBe(2);
    expect(Object.keys(contentsOf(emptied))).toEqual(Object.keys(before));
  });

  it("gives a host no head while it lacks what the head names", async () => {
    const bench = await makeAudited([openFolder(), openFolder()], 2);
    const [publication = "", host = ""] = bench.folders;
    const [pack = ""] = packsOf(host, 0);
    for (const folder of [publication, host]) spoil(path.join(folder, pack), 500);
    rmSync(path.join(host, "head"));
    const left = damageLeft(await bench.audit({ sample: "all", repair: true }));
    expect(left.map(({ kind, path: file }) => `${kind} ${file}`)).toContain("missing head");
    expect(existsSync(path.join(host, "head"))).toBe(false);
  });

  it("tells of a host that does not answer, and of a mount that is missing", async () => {
    const bench = await makeAudited([openFolder(), openFolder(), openFolder()], 2);
    const [, , down] = bench.config.hosts;
    rmSync(bench.folders[2] ?? "", { recursive: true });
    const hosts = bench.config.hosts.map((host) =>
      host === down ? { ...host, url: "http://127.0.0.1:9/pub" } : host,
    );
    const report = await bench.audit({ config: { ...bench.config, hosts }, repair: true });
    expect(findingsOf(report)).toEqual(["host-1 unreachable ", "host-2 unreachable "]);
    expect(report.places[2]?.findings[0]?.detail).toMatch(/its folder is not there any more/);
    expect(report.places[3]?.findings[0]?.detail).toMatch(/ECONNREFUSED/);
  });

  it("asks for no pack in which nothing lies", async () => {
    const folder = fastTemporaryFolder();
    mkdirSync(path.join(folder, "tree"));
    // Its blocks close a pack; those of the increment, which are none, would begin another.
    writeFileSync(path.join(folder, "tree/large"), randomBytes(PACK_SIZE_BYTES + 1_000_000));
    for (const day of [0, 1]) {
      backUpTo({ folder, time: FIRST_SET_TIME + day * DAY_SECONDS, volumeSize: 25 });
    }
    const { duplicity } = makeBench(folder).config;
    const shares = { k: 1, n: 1 };
    const bench = makeBench(folder, { shares, duplicity: { ...duplicity, engine: "external" } });
    expect((await bench.publish()).sets.map(({ volumeBytes }) => volumeBytes > 0)).toContain(false);
    const { config, runtime } = bench;
    const order = { config, runtime, repair: false, sample: "all", seed: 1 } as const;
    const report = await auditOnce({ ...order, signal: new AbortController().signal });
    expect(findingsOf(report)).toEqual([]);
  });

  it("reads the same blocks with the same seed, and no more than it is told", async () => {
    const bench = await makeAudited([openFolder(), openFolder(), openFolder()], 2);
    const checked = async (options: Partial<AuditOptions>) =>
      (await bench.audit(options)).places.map((place) => place.checked);
    const few = await checked({ sample: 2, seed: 5 });
    expect(few[1]?.blocks).toBe(2);
    expect(few[0]?.blocks).toBe(6);
    expect(await checked({ sample: 2, seed: 5 })).toEqual(few);
    const all = await checked({ sample: "all" });
    expect(all[1]?.blocks).toBeGreaterThan(5);
  });

  it("is refused while another dupmirror works on the state", async () => {
    const bench = await makeAudited([openFolder(), openFolder(), openFolder()], 2);
    const lock = await lockState(bench.config.stateDirectory, new AbortController());
    await expect(bench.audit()).rejects.toMatchObject({ code: "LOCKED" });
    lock.release();
    expect(findingsOf(await bench.audit())).toEqual([]);
  });
});
