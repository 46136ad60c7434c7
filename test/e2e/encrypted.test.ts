import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa, execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dupmirror, expectRefusal } from "../support/cli.js";
import { lastingFolder, removeFolder, temporaryFolder } from "../support/temporary.js";
import { compareTrees, listTree } from "../support/tree-compare.js";
import {
  copyPublication,
  type Master,
  makeMaster,
  makeReplica,
  pointReplica,
  publish,
  type Replica,
  sync,
} from "../support/workspace.js";

const MAKE_CORPUS = fileURLToPath(new URL("../fixtures/make-corpus.sh", import.meta.url));
const PASSPHRASE = "correct horse";
/** What duplicity would have gpg do takes 0.6 s a file. */
const QUICK_KEY = "--gpg-options=--s2k-count=65536";

const MISSING = ["duplicity", "gpg", "gpgconf"].filter(
  (program) => execaSync(program, ["--version"], { reject: false }).exitCode !== 0,
);
const skipped = MISSING.length > 0 ? ` (skipped: ${MISSING.join(" and ")} missing)` : "";

type Decryption = Readonly<Record<string, string>>;

interface Published {
  readonly keyFile: string;
  /** As published after the backup of a state. */
  source(state: number): string;
  repository(state: number): string;
  /** What duplicity itself restores. */
  restored(state: number): string;
}

describe.skipIf(MISSING.length > 0)(`a repository encrypted with a passphrase${skipped}`, () => {
  const states = [1, 2, 3, 4, 5];
  const folder = lastingFolder();
  let published: Published;
  let decryption: Decryption;

  beforeAll(async () => {
    await makeCorpus(folder, { extra: QUICK_KEY, states: 5 });
    published = await publishStates(folder, states);
    decryption = { passphraseFile: passphraseFile(folder, PASSPHRASE) };
  });

  afterAll(() => removeFolder(folder));

  const replicaAt = (state: number, changes: Decryption | undefined = decryption) =>
    makeEncryptedReplica(published, state, changes);

  test.each(states)("a fresh replica of state %i equals duplicity's restore", async (state) => {
    const replica = replicaAt(state);
    expect((await sync(replica)).strategy).toBe("fresh");
    expect(compareTrees(published.restored(state), replica.tree)).toEqual([]);
    expect(existsSync(path.join(replica.stateDirectory, "spill"))).toBe(false);
  });

  test("a replica that follows state by state equals the restore of each", async () => {
    const replica = replicaAt(1);
    const strategies: string[] = [];
    for (const state of states) {
      pointAt(replica, published, { state, decryption });
      strategies.push((await sync(replica)).strategy);
      expect(compareTrees(published.restored(state), replica.tree), `state ${state}`).toEqual([]);
    }
    expect(strategies).toEqual(["fresh", "follow", "follow", "follow", "rebase"]);
  });

  test("a replica that missed two sets replays them in one go", async () => {
    const replica = replicaAt(1);
    await sync(replica);
    pointAt(replica, published, { state: 4, decryption });
    expect((await sync(replica)).strategy).toBe("follow");
    expect(compareTrees(published.restored(4), replica.tree)).toEqual([]);
  });

  test("a damaged tree is found out and mended", async () => {
    const replica = replicaAt(2);
    await sync(replica);
    rmSync(path.join(replica.tree, "big/random.bin"));
    writeFileSync(path.join(replica.tree, "surplus"), "not of the set");
    const verify = ["replica", "verify", "-c", replica.configFile];
    expect(await dupmirror(verify)).toMatchObject({ exitCode: 1 });
    expect(await dupmirror([...verify, "--repair"])).toMatchObject({ exitCode: 0 });
    expect(compareTrees(published.restored(2), replica.tree)).toEqual([]);
  });

  test("a drifted file is made from its history, whose sets are decrypted too", async () => {
    const replica = replicaAt(1);
    await sync(replica);
    rmSync(path.join(replica.tree, "big/random.bin"));
    pointAt(replica, published, { state: 2, decryption });
    await sync(replica);
    expect(compareTrees(published.restored(2), replica.tree)).toEqual([]);
  });

  test("a replica that is up to date needs no secret", async () => {
    const replica = replicaAt(1);
    await sync(replica);
    pointAt(replica, published, { state: 1, decryption: undefined });
    expect((await sync(replica)).strategy).toBe("none");
  });

  test("a wrong passphrase is one refusal, and the tree stays as it was", async () => {
    const replica = replicaAt(1);
    await sync(replica);
    const before = listTree(replica.tree);
    const wrong = { passphraseFile: passphraseFile(temporaryFolder(), "incorrect horse") };
    pointAt(replica, published, { state: 2, decryption: wrong });
    expectRefusal(await tryToSync(replica), {
      exitCode: 5,
      message: /vol1\.difftar\.gpg cannot be decrypted: gpg: .*passphraseFile/,
    });
    expect(listTree(replica.tree)).toEqual(before);
    expect(existsSync(path.join(replica.stateDirectory, "spill"))).toBe(false);
    pointAt(replica, published, { state: 2, decryption });
    expect((await sync(replica)).strategy).toBe("follow");
  });

  test("without `decryption` the refusal says what to add", async () => {
    const replica = replicaAt(1);
    pointAt(replica, published, { state: 1, decryption: undefined });
    expectRefusal(await tryToSync(replica), {
      exitCode: 2,
      message: /set full\.\S+ is encrypted: .* `decryption` with `passphraseFile: FILE`/,
    });
    expect(readdirSync(replica.tree)).toEqual([]);
  });

  test("a passphrase file that is not there is named", async () => {
    const replica = replicaAt(1, { passphraseFile: "/nowhere/passphrase" });
    expectRefusal(await tryToSync(replica), {
      exitCode: 2,
      message: /decryption\.passphraseFile \/nowhere\/passphrase: no such file/,
    });
  });

  test("a set that lacks its last volume is refused, and the tree stays as it was", async () => {
    const place = temporaryFolder();
    const repository = path.join(place, "repository");
    cpSync(published.repository(1), repository, { recursive: true });
    const volumes = readdirSync(repository).filter((name) => name.includes(".vol"));
    rmSync(path.join(repository, `${volumes[0]?.replace(/vol\d+/, `vol${volumes.length}`)}`));
    const master = await makeMaster(path.join(place, "master"), {
      tree: path.join(place, "unused-tree"),
      externalRepository: repository,
    });
    await publish(master);
    const { sources, keyFile } = master;
    const replica = makeReplica(place, { sources, keyFile, more: { decryption } });
    expectRefusal(await tryToSync(replica), {
      exitCode: 5,
      message: /set full\.\S+: signature archive names/,
    });
    expect(readdirSync(replica.tree)).toEqual([]);
  });

  test("`replica plan` changes nothing", async () => {
    const replica = replicaAt(3);
    const result = await dupmirror(["replica", "plan", "-c", replica.configFile]);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(readdirSync(replica.tree)).toEqual([]);
  });
});

describe.skipIf(MISSING.length > 0)(`a repository encrypted to a public key${skipped}`, () => {
  const states = [1, 2];
  const folder = lastingFolder();
  const gnupgHome = path.join(folder, "gnupg");
  let published: Published;

  beforeAll(async () => {
    const key = await makeKey(gnupgHome);
    const environment = { GNUPGHOME: gnupgHome };
    await makeCorpus(folder, {
      extra: `--encrypt-key=${key} --gpg-options=--trust-model=always`,
      states: states.length,
      environment,
    });
    await execa("gpgconf", ["--kill", "gpg-agent"], { env: environment });
    published = await publishStates(folder, states);
  });

  afterAll(() => removeFolder(folder));

  test("a replica with the secret key follows, and leaves no agent running", async () => {
    const decryption = { gnupgHome };
    const replica = makeEncryptedReplica(published, 1, decryption);
    for (const state of states) {
      pointAt(replica, published, { state, decryption });
      await sync(replica);
      expect(compareTrees(published.restored(state), replica.tree), `state ${state}`).toEqual([]);
    }
    const environment = { GNUPGHOME: gnupgHome };
    const agent = await execa("gpg-connect-agent", ["--no-autostart", "/bye"], {
      env: environment,
      reject: false,
    });
    expect(agent.stderr).toContain("no gpg-agent running");
  });

  test("a replica without the key is refused", async () => {
    const empty = path.join(temporaryFolder(), "gnupg");
    mkdirSync(empty, { mode: 0o700 });
    const replica = makeEncryptedReplica(published, 1, { gnupgHome: empty });
    expectRefusal(await tryToSync(replica), {
      exitCode: 5,
      message: /cannot be decrypted: gpg: .*gnupgHome/,
    });
    expect(readdirSync(replica.tree)).toEqual([]);
  });
});

async function makeCorpus(
  folder: string,
  options: {
    readonly extra: string;
    readonly states: number;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const words = ["--with-restore", "--volsize", "1"];
  const encryption = ["--encryption", "symmetric", "--passphrase", PASSPHRASE];
  const { extra, states, environment = {} } = options;
  await execa(
    MAKE_CORPUS,
    [...words, ...encryption, "--states", `${states}`, "--extra", extra, corpusOf(folder)],
    { env: environment },
  );
}

async function makeKey(gnupgHome: string): Promise<string> {
  mkdirSync(gnupgHome, { mode: 0o700 });
  const gpg = async (...words: string[]) =>
    await execa("gpg", ["--batch", "--quiet", ...words], { env: { GNUPGHOME: gnupgHome } });
  const loopback = ["--pinentry-mode", "loopback", "--passphrase", ""];
  await gpg(...loopback, "--quick-generate-key", "Test", "rsa2048", "sign,encrypt", "never");
  const { stdout } = await gpg("--list-secret-keys", "--with-colons");
  const fingerprint = /^fpr:{9}([0-9A-F]{40}):/m.exec(stdout)?.[1];
  if (fingerprint === undefined) throw new Error(`gpg made no key:\n${stdout}`);
  return fingerprint;
}

/** Publishes the repository as it was after each state; the master has no secret. */
async function publishStates(folder: string, states: readonly number[]): Promise<Published> {
  const master = await makeMaster(path.join(folder, "master"), {
    tree: path.join(folder, "unused-tree"),
    externalRepository: path.join(folder, "somebodys-repository"),
  });
  const sources = new Map<number, string>();
  for (const state of states) {
    becomeState(master, path.join(corpusOf(folder), "repos", `${state}`));
    await publish(master);
    sources.set(state, copyPublication(master, path.join(folder, `published-${state}`)));
  }
  return {
    keyFile: master.keyFile,
    source: (state) => sources.get(state) ?? "",
    repository: (state) => path.join(corpusOf(folder), "repos", `${state}`),
    restored: (state) => path.join(corpusOf(folder), "restored", `${state}`),
  };
}

function becomeState(master: Master, repository: string): void {
  rmSync(master.repository, { recursive: true });
  cpSync(repository, master.repository, { recursive: true, preserveTimestamps: true });
}

function makeEncryptedReplica(
  published: Published,
  state: number,
  decryption: Decryption,
): Replica {
  const { keyFile } = published;
  const sources = [published.source(state)];
  return makeReplica(temporaryFolder(), { sources, keyFile, more: { decryption } });
}

function pointAt(
  replica: Replica,
  published: Published,
  { state, decryption }: { readonly state: number; readonly decryption: Decryption | undefined },
): void {
  const more = decryption === undefined ? {} : { decryption };
  const { keyFile } = published;
  pointReplica(replica, { sources: [published.source(state)], keyFile, more });
}

async function tryToSync(replica: Replica): ReturnType<typeof dupmirror> {
  return await dupmirror(["replica", "sync", "-c", replica.configFile]);
}

function passphraseFile(folder: string, passphrase: string): string {
  const file = path.join(folder, "passphrase");
  writeFileSync(file, `${passphrase}\n`, { mode: 0o600 });
  return file;
}

function corpusOf(folder: string): string {
  return path.join(folder, "corpus");
}
