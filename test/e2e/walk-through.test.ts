/** A backup that is spread over hosts by `backup`, and what `restore` and `reassemble` make of those that are left. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { reassembleRepository } from "../../src/cli/reassemble.js";
import { restore } from "../../src/cli/restore.js";
import { startSelf } from "../../src/programs/self.js";
import { openTestContext } from "../cli/context.js";
import { dupmirror, dupmirrorWorks, expectRefusal, MAIN, startDupmirror } from "../support/cli.js";
import { killAfter } from "../support/killing.js";
import { combinations, Random } from "../support/random.js";
import { fastLastingFolder, fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { copyTree, liveOneStep, makeTree } from "../support/trees.js";
import { NO_NGINX, PASSWORD, startNginx, USER } from "../support/web-servers.js";
import { type Host, removeHosts } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const SHAPES = [
  { k: 2, n: 3 },
  { k: 4, n: 6 },
] as const;

const STATES = [0, 1, 2] as const;

describeWithDuplicity.each(SHAPES)(
  "a backup of which any $k of $n hosts are enough",
  ({ k, n }) => {
    const random = new Random();
    const folder = fastLastingFolder();
    const site = makeSite(folder, n);
    const out = (): string => path.join(fastTemporaryFolder(), "out");

    beforeAll(async () => {
      await backUpStates(site, ["-k", `${k}`, "-n", `${n}`]);
    });
    afterAll(() => removeFolder(folder));

    test("restores each state, and its repository, whichever hosts are gone", async () => {
      const times = setTimes(site);
      for (const gone of combinations(n, n - k)) {
        const said = `without hosts ${gone.join(", ")} (SEED=${random.seed})`;
        const putBack = removeHosts(gone.flatMap((at) => site.hosts[at] ?? []));
        const newest = await restoreHere(site, out());
        const state = random.pick(STATES);
        const older = await restoreHere(site, out(), times[state]);
        const repository = await reassembleHere(site, out());
        putBack();
        expect(compareTrees(stateOf(site, 2), newest), said).toEqual([]);
        expect(compareTrees(stateOf(site, state), older), `state ${state} ${said}`).toEqual([]);
        expect(filesIn(repository), said).toEqual(filesIn(repositoryOf(site)));
      }
    });

    test("gives stock duplicity a repository that it restores each state from", async () => {
      const repository = await reassembleHere(site, out());
      const times = setTimes(site);
      for (const state of STATES) {
        const restored = out();
        await restoreWithDuplicity(repository, restored, times[state] ?? "");
        expect(compareTrees(stateOf(site, state), restored), `state ${state}`).toEqual([]);
      }
    });

    test.each(["restore", "reassemble"])(
      "with one host more gone %s says why, and makes nothing",
      async (command) => {
        const gone = random.pick(combinations(n, n - k + 1));
        const putBack = removeHosts(gone.flatMap((at) => site.hosts[at] ?? []));
        const place = out();
        const result = await dupmirror([command, ...hostWords(site), place], elsewhere());
        putBack();
        expect(result.exitCode, result.stderr).toBe(4);
        expect(result.stderr).toMatch(`${k - 1} good shares, ${k} needed`);
        for (const at of gone) {
          const said = `SEED=${random.seed}`;
          expect(result.stderr, said).toMatch(
            new RegExp(`share ${at}: SOURCE_MISSING at \\S+host-${at}`),
          );
          expect(result.stderr, said).toMatch(new RegExp(`file:\\S+host-${at}: .*no such file`));
        }
        expect(existsSync(place) ? readdirSync(place) : []).toEqual([]);
      },
    );

    test("with all hosts gone restore names each", async () => {
      const putBack = removeHosts(site.hosts);
      const result = await dupmirror(["restore", ...hostWords(site), out()], elsewhere());
      putBack();
      expectRefusal(result, {
        exitCode: 4,
        message: /no host gives a head.*host-0.*host-1.*host-2/,
      });
    });
  },
);

describeWithDuplicity("a restore", () => {
  const folder = fastLastingFolder();
  const site = makeSite(folder, 3);
  const out = (): string => path.join(fastTemporaryFolder(), "out");
  let fingerprint = "";

  beforeAll(async () => {
    const said = await backUpStates(site, ["-k", "2"]);
    fingerprint = /key ([0-9a-f]{64})/.exec(said)?.[1] ?? "";
  });
  afterAll(() => removeFolder(folder));

  test("reads over HTTP, of two of three hosts", async () => {
    const urls = [await serveHost(site.hosts[0]), await serveHost(site.hosts[2])];
    const putBack = removeHosts(site.hosts);
    const served = site.hosts.map(({ folder }) => folder);
    expect(served.some((folder) => existsSync(folder))).toBe(false);
    putBack();
    const place = out();
    await dupmirrorWorks(["restore", "--hosts", ...urls, place], elsewhere());
    expect(compareTrees(stateOf(site, 2), place)).toEqual([]);
  });

  test("goes on with what is good of a host that rots, and says how much is not", async () => {
    const rotten = path.join(site.hosts[0]?.folder ?? "", "shares");
    await copyTree(rotten, `${rotten}.good`);
    for (const pack of packsIn(rotten)) flipBytes(pack);
    const place = out();
    const result = await dupmirror(["restore", ...hostWords(site), place], elsewhere());
    const repository = await reassembleHere(site, out());
    removeFolder(rotten);
    renameSync(`${rotten}.good`, rotten);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toMatch(/host-0\S*: .* corrupt block/);
    expect(compareTrees(stateOf(site, 2), place)).toEqual([]);
    expect(filesIn(repository)).toEqual(filesIn(repositoryOf(site)));
  });

  test("tells the key that it took on trust, and takes the one that is known here", async () => {
    const trusting = await dupmirrorWorks(["restore", ...hostWords(site), out()], elsewhere());
    expect(trusting.stdout).toContain(`key ${fingerprint}, taken on trust`);
    const knowing = await dupmirrorWorks(["restore", ...hostWords(site), out()], atHome(site));
    expect(knowing.stdout).toContain(`key ${fingerprint}, known here`);
    const state = ["--state", stateFolder(site)];
    const told = await dupmirrorWorks(
      ["restore", ...state, ...hostWords(site), out()],
      elsewhere(),
    );
    expect(told.stdout).toContain("known here");
  });

  test("refuses another key, and hosts that show different ones", async () => {
    const place = fastTemporaryFolder();
    await dupmirrorWorks(["key", "generate", "tree", "--out", place]);
    const key = ["--key", path.join(place, "tree.pub")];
    expectRefusal(await dupmirror(["restore", ...key, ...hostWords(site), out()], elsewhere()), {
      exitCode: 5,
      message:
        /no host gives a head to be believed: .*signed by tree\+.*, not by tree; the key that is known here is tree [0-9a-f]{64}: --key/,
    });
    const other = makeSite(fastTemporaryFolder(), 2);
    await backUpStates(other, ["-k", "1"], 1);
    const words = ["restore", "--hosts", site.hosts[0]?.folder ?? "", other.hosts[0]?.folder ?? ""];
    expectRefusal(await dupmirror([...words, out()], elsewhere()), {
      exitCode: 5,
      message: /the hosts show different keys; give the right one with --key: /,
    });
  });

  test("leaves a folder alone that is not empty, and hosts too", async () => {
    const place = fastTemporaryFolder();
    writeFileSync(path.join(place, "mine"), "");
    for (const command of ["restore", "reassemble"]) {
      expectRefusal(await dupmirror([command, ...hostWords(site), place], elsewhere()), {
        exitCode: 2,
        message: /is not empty, and a restore deletes nothing|holds mine, which is not of this/,
      });
    }
    expect(readdirSync(place)).toEqual(["mine"]);
    const putBack = removeHosts(site.hosts.slice(2));
    const forgotten = await dupmirror(["restore", ...hostWords(site)], elsewhere());
    const isMade = existsSync(site.hosts[2]?.folder ?? "");
    putBack();
    expectRefusal(forgotten, { exitCode: 2, message: /host-2 is one of the hosts/ });
    expect(isMade).toBe(false);
  });

  test("lists the sets, and says when there is none so old", async () => {
    const listed = await dupmirrorWorks(["restore", "--list", ...hostWords(site)], elsewhere());
    expect(listed.stdout).toMatch(/3 sets to restore\n.*full\..*\n.*inc\..*\n.*inc\./);
    const early = ["restore", "--at", "2001-01-01", ...hostWords(site), out()];
    expectRefusal(await dupmirror(early, elsewhere()), {
      exitCode: 9,
      message: /no set is as old.*restore --list` lists them/,
    });
  });
});

describeWithDuplicity("hosts that are web servers", () => {
  test.skipIf(NO_NGINX !== undefined)(
    `take a backup by WebDAV, and give it back without one of them ${NO_NGINX ?? ""}`,
    async () => {
      const server = await startNginx();
      const place = fastTemporaryFolder();
      const site = makeSite(place, 0);
      const password = path.join(place, "password");
      writeFileSync(password, PASSWORD, { mode: 0o600 });
      const secret = ["--user", USER, "--password-file", password];
      const access = [...secret, "--ca-file", server.certificates.caFile];
      const urls = ["a", "b", "c"].map((name) => new URL(`/dav/${name}`, server.url).href);
      await backUpStates(site, ["-k", "2", ...access, "--hosts", ...urls], 2);
      removeFolder(path.join(server.folder, "dav/b"));
      const restored = path.join(place, "restored");
      await dupmirrorWorks(["restore", ...access, "--hosts", ...urls, restored], elsewhere());
      expect(compareTrees(stateOf(site, 1), restored)).toEqual([]);
      const repository = path.join(place, "repository");
      await dupmirrorWorks(["reassemble", ...access, "--hosts", ...urls, repository], elsewhere());
      expect(filesIn(repository)).toEqual(filesIn(repositoryOf(site)));
    },
  );
});

const KILLS = process.env["SLOW"] === undefined ? 2 : 40;

describeWithDuplicity("killed at random moments", () => {
  test(`backup, restore and reassemble are finished by the next call, ${KILLS} times each`, async () => {
    const random = new Random();
    const site = makeSite(fastTemporaryFolder(), 3);
    const files = makeTree(site.tree, { files: 300, meanSizeBytes: 4000 });
    const first = ["backup", "-k", "2", site.tree, ...hostWords(site)];
    for (let run = 1; run <= KILLS; run++) {
      const said = `run ${run} (SEED=${random.seed})`;
      liveOneStep(site.tree, files, run);
      await killThenFinish(first, random, atHome(site));
      const tree = path.join(site.folder, `out-${run}`);
      const repository = path.join(site.folder, `repository-${run}`);
      await killThenFinish(["restore", ...hostWords(site), tree], random, atHome(site));
      await killThenFinish(["reassemble", ...hostWords(site), repository], random, atHome(site));
      expect(compareTrees(site.tree, tree), said).toEqual([]);
      expect(filesIn(repository), said).toEqual(filesIn(repositoryOf(site)));
      removeFolder(tree);
      removeFolder(repository);
    }
    const left = path.join(site.home, "dupmirror/restore");
    expect(readdirSync(left)).toEqual([]);
  });
});

describeWithDuplicity("a backup", () => {
  test("is refused at hosts that hold another one, whose head stays", async () => {
    const site = makeSite(fastTemporaryFolder(), 2);
    await backUpStates(site, ["-k", "1"], 1);
    const head = readFileSync(path.join(site.hosts[0]?.folder ?? "", "head"));
    const words = ["backup", "-k", "1", site.tree, ...hostWords(site)];
    expectRefusal(await dupmirror(words, elsewhere()), {
      exitCode: 5,
      message: /host-0 holds the publication of another master .*nothing was written there/,
    });
    expect(readFileSync(path.join(site.hosts[0]?.folder ?? "", "head"))).toEqual(head);
  });

  test("fills a host that is new, and begins a new chain when asked", async () => {
    const site = makeSite(fastTemporaryFolder(), 4);
    const [a, b, c, d] = site.hosts.map(({ folder }) => folder);
    makeTree(site.tree, { files: 20 });
    const backUp = async (...words: readonly (string | undefined)[]) =>
      await dupmirrorWorks(["backup", ...words.flatMap((word) => word ?? [])], atHome(site));
    await backUp("-k", "2", site.tree, "--hosts", a, b, c);
    await backUp("--full", site.tree, "--hosts", a, b, d);
    const place = path.join(site.folder, "out");
    const restored = ["restore", "--hosts", b ?? "", d ?? "", place];
    await dupmirrorWorks(restored, elsewhere());
    expect(compareTrees(site.tree, place)).toEqual([]);
    const sets = filesIn(repositoryOf(site)).filter(([name]) => name.includes("full"));
    expect(sets.map(([name]) => name).join()).toMatch(/full\.(\S+)\.vol1.*full\.(?!\1)\S+\.vol1/);
  });

  test.each([
    ["no hosts", [], /--hosts: expected folders or URLs for the first backup/],
    ["no k", ["--hosts", "a", "b"], /-k: expected how many hosts shall suffice/],
    ["hosts within the tree", ["-k", "1", "--hosts", "TREE/a", "b"], /lies in the tree/],
    ["too few hosts", ["-k", "2", "-n", "3", "--hosts", "a", "b"], /--allow-fewer-hosts/],
    ["state within the tree", ["-k", "1", "--state", "TREE/s", "--hosts", "a"], /with --state/],
  ])("with %s is refused, and leaves nothing behind", async (_, words, message) => {
    const site = makeSite(fastTemporaryFolder(), 0);
    makeTree(site.tree, { files: 2 });
    const given = words.map((word) => word.replace("TREE", site.tree));
    const result = await dupmirror(["backup", site.tree, ...given], atHome(site));
    expectRefusal(result, { exitCode: 2, message });
    expect(existsSync(site.home)).toBe(false);
  });
});

/** As it is installed. */
const DUPLICITY = "duplicity";

interface Site {
  readonly folder: string;
  readonly tree: string;
  /** XDG_STATE_HOME of the machine that backs up. */
  readonly home: string;
  readonly hosts: readonly Host[];
}

function makeSite(folder: string, hostCount: number): Site {
  const hosts = Array.from({ length: hostCount }, (_, at) => {
    const name = `host-${at}`;
    return { name, folder: path.join(folder, name), url: `file://${folder}/${name}` };
  });
  return { folder, tree: path.join(folder, "tree"), home: path.join(folder, "home"), hosts };
}

/** Backs up as many states as asked for, and keeps a copy of each. @returns what the last call printed */
async function backUpStates(site: Site, shape: readonly string[], count = 3): Promise<string> {
  const files = makeTree(site.tree, { files: 60 });
  makeOddNames(site.tree);
  let said = "";
  for (let state = 0; state < count; state++) {
    if (state > 0) liveOneStep(site.tree, files, state);
    const words = state === 0 ? [...shape, ...hostWords(site)] : [];
    said = (await dupmirrorWorks(["backup", site.tree, ...words], atHome(site))).stdout;
    await copyTree(site.tree, stateOf(site, state));
  }
  return said;
}

/** Bytes that are no UTF-8, spaces, a line feed. */
function makeOddNames(tree: string): void {
  for (const name of ["caf\xe9", "\xff\xfe", " two  spaces ", "line\nfeed", "-n"]) {
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(name, "latin1")]), name);
  }
  symlinkSync("no/where", path.join(tree, "dangling"));
  mkdirSync(path.join(tree, "empty"), { mode: 0o711 });
}

function stateOf(site: Site, state: number): string {
  return path.join(site.folder, `state-${state}`);
}

function stateFolder(site: Site): string {
  return path.join(site.home, "dupmirror/backup/tree");
}

function repositoryOf(site: Site): string {
  return path.join(stateFolder(site), "repository");
}

/** When each set was made, as `--at` and duplicity take it. */
function setTimes(site: Site): string[] {
  const times = readdirSync(repositoryOf(site)).flatMap(
    (name) => /(?:full|to)\.(\d{8}T\d{6}Z)\.manifest$/.exec(name)?.[1] ?? [],
  );
  return times.sort();
}

function hostWords({ hosts }: Site): string[] {
  return hosts.length === 0 ? [] : ["--hosts", ...hosts.map(({ folder }) => folder)];
}

/** The machine that backs up. */
function atHome(site: Site) {
  return { environment: { XDG_STATE_HOME: site.home } };
}

/** Another machine, which knows nothing. */
function elsewhere() {
  return { environment: { XDG_STATE_HOME: fastTemporaryFolder() } };
}

/** On another machine, in the test's own process. @returns the tree */
async function restoreHere(site: Site, out: string, at?: string): Promise<string> {
  const options = { hosts: site.hosts.map(({ folder }) => folder), out };
  expect(
    await restore({ ...options, ...(at === undefined ? {} : { at }) }, contextElsewhere()),
  ).toBe(0);
  return out;
}

async function reassembleHere(site: Site, out: string): Promise<string> {
  const options = { hosts: site.hosts.map(({ folder }) => folder), out };
  expect(await reassembleRepository(options, contextElsewhere())).toBe(0);
  return out;
}

function contextElsewhere() {
  return { ...openTestContext().context, ...elsewhere() };
}

function packsIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** Of every block one at least. */
function flipBytes(file: string): void {
  writeFileSync(
    file,
    readFileSync(file).map((byte, at) => (at % 8 === 0 ? byte ^ 1 : byte)),
  );
}

/** Name and content of each. */
function filesIn(folder: string): [string, string][] {
  const names = readdirSync(folder).sort();
  return names.map((name) => [name, readFileSync(path.join(folder, name), "base64")]);
}

async function restoreWithDuplicity(repository: string, to: string, time: string): Promise<void> {
  const archive = fastTemporaryFolder();
  const words = ["--no-encryption", "--archive-dir", archive, "--restore-time", time];
  await execa(DUPLICITY, ["restore", ...words, `file://${repository}`, to], {
    stdin: "ignore",
    env: { LC_ALL: "C.UTF-8" },
  });
}

/** Kills a call, and lets the next one, with the same words, end. A restore that was done but for its end is not done again. */
async function killThenFinish(
  words: readonly string[],
  random: Random,
  options: { readonly environment: Readonly<Record<string, string>> },
): Promise<void> {
  const { exitCode } = await killAfter(startDupmirror(words, options), random.between(100, 800));
  if (exitCode === 0) return;
  const result = await dupmirror(words, options);
  if (result.exitCode === 2) expect(result.stderr).toContain("is not empty");
  else expect(result).toMatchObject({ exitCode: 0 });
}

/** Until the test ends. @returns the URL */
async function serveHost(host: Host | undefined): Promise<string> {
  const words = ["serve", host?.folder ?? "", "--listen", "127.0.0.1:0"];
  const { signal } = new AbortController();
  const server = await startSelf({ script: MAIN, arguments: words, signal });
  onTestFinished(() => server.kill());
  return /http:\S+/.exec(server.firstLine)?.[0] ?? "";
}
