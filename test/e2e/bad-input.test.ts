import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { dupmirror, expectRefusal } from "../support/cli.js";
import { startCountingServer } from "../support/counting-server.js";
import { fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { makeTree } from "../support/trees.js";
import { fileUrl, generationOf, makeMaster, makeReplica, publish } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const MASTER_YAML = `mirrors:
  - name: pub
    tree: tree
    repository: repository
    publication: publication
    stateDirectory: state
    signing: { keyFile: pub.key }
    shares: { k: 2, n: 3 }
    duplicity: { engine: run, volumeSize: 25 MiB }
`;

const REPLICA_YAML = `mirrors:
  - name: pub
    tree: mirror
    stateDirectory: state
    trust: { keyFile: pub.pub }
    sources:
      - file:///net/other/pub
    poll: { every: 60s, jitter: 20% }
`;

interface BadLine {
  readonly what: string;
  readonly right: string;
  readonly wrong: string;
  readonly message: RegExp;
}

const MASTER_LINES: readonly BadLine[] = [
  {
    what: "an unknown key",
    right: "- name:",
    wrong: "- nahme:",
    message: /master\.yaml:2:5: mirrors\[0\]\.nahme: unknown key/,
  },
  {
    what: "a number that is a word",
    right: "k: 2",
    wrong: "k: two",
    message: /master\.yaml:8:18: mirrors\[0\]\.shares\.k: expected a whole number .*, got "two"/,
  },
  {
    what: "an unknown unit",
    right: "25 MiB",
    wrong: "25 Mx",
    message: /master\.yaml:9:43: .*volumeSize: expected .*, got .*25 Mx/,
  },
  {
    what: "a word that is none of the choices",
    right: "engine: run",
    wrong: "engine: rune",
    message: /master\.yaml:9:26: .*engine: expected .*external.*, got .*rune/,
  },
  {
    what: "more shares needed than there are",
    right: "n: 3",
    wrong: "n: 1",
    message: /master\.yaml:8:\d+: .*shares/,
  },
];

const REPLICA_LINES: readonly BadLine[] = [
  {
    what: "an unknown key",
    right: "every: 60s",
    wrong: "evry: 60s",
    message: /replica\.yaml:8:13: mirrors\[0\]\.poll\.evry: unknown key/,
  },
  {
    what: "a list that is a word",
    right: "sources:\n      - file:///net/other/pub",
    wrong: "sources: file:///net/other/pub",
    message: /replica\.yaml:6:14: .*sources: expected .*, got /,
  },
  {
    what: "a time without a unit that exists",
    right: "60s",
    wrong: "60 parsecs",
    message: /replica\.yaml:8:20: .*poll\.every: expected .*, got .*60 parsecs/,
  },
  {
    what: "a URL of a kind that does not exist",
    right: "file:///net/other/pub",
    wrong: "gopher://other/pub",
    message: /replica\.yaml:7:9: .*sources\[0\].*: expected .*, got .*gopher/,
  },
];

describe("a configuration with a fault", () => {
  test.each(MASTER_LINES)("of the master: $what", async ({ right, wrong, message }) => {
    const file = path.join(fastTemporaryFolder(), "master.yaml");
    writeFileSync(file, MASTER_YAML.replace(right, wrong));
    const result = await dupmirror(["master", "publish", "-c", file]);
    expectRefusal(result, { exitCode: 2, message });
  });

  test.each(REPLICA_LINES)("of the replica: $what", async ({ right, wrong, message }) => {
    const file = path.join(fastTemporaryFolder(), "replica.yaml");
    writeFileSync(file, REPLICA_YAML.replace(right, wrong));
    const result = await dupmirror(["replica", "sync", "-c", file]);
    expectRefusal(result, { exitCode: 2, message });
  });

  test("that is not YAML", async () => {
    const file = path.join(fastTemporaryFolder(), "replica.yaml");
    writeFileSync(file, "mirrors:\n\t- name: pub\n");
    const result = await dupmirror(["replica", "sync", "-c", file]);
    expectRefusal(result, { exitCode: 2, message: /replica\.yaml:\d+:\d+: / });
  });

  test("that is not there", async () => {
    const file = path.join(fastTemporaryFolder(), "nowhere.yaml");
    const result = await dupmirror(["replica", "sync", "-c", file]);
    expectRefusal(result, { exitCode: 2, message: /nowhere\.yaml/ });
  });

  test("a command that does not exist", async () => {
    const result = await dupmirror(["replica", "synchronise"]);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/synchronise/);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });
});

describeWithDuplicity("a master", () => {
  test("without duplicity says what to install", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    makeTree(tree, { files: 3 });
    const master = await makeMaster(folder, { tree });
    const environment = { PATH: pathWithoutDuplicity(path.join(folder, "bin")) };
    const result = await dupmirror(["master", "publish", "-c", master.configFile], { environment });
    expectRefusal(result, { exitCode: 1, message: /apt install duplicity/ });
  });

  test("whose tree has gone publishes nothing", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const master = await publishedMaster(folder, tree);
    removeFolder(tree);
    const head = readFileSync(path.join(master.publication, "head"));
    const result = await dupmirror(["master", "publish", "-c", master.configFile]);
    expectRefusal(result, { exitCode: 1, message: new RegExp(`${tree}\\b`) });
    expect(readFileSync(path.join(master.publication, "head"))).toEqual(head);
  });

  test("whose tree is empty publishes nothing", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const master = await publishedMaster(folder, tree);
    removeFolder(tree);
    mkdirSync(tree);
    const generation = generationOf(master.publication);
    const result = await dupmirror(["master", "publish", "-c", master.configFile]);
    expectRefusal(result, { exitCode: 1, message: /empty/ });
    expect(generationOf(master.publication)).toBe(generation);
  });

  test("whose tree was empty from the start publishes nothing", async () => {
    const folder = fastTemporaryFolder();
    const master = await makeMaster(folder, { tree: path.join(folder, "tree") });
    const result = await dupmirror(["master", "publish", "-c", master.configFile]);
    expectRefusal(result, { exitCode: 1, message: /empty/ });
    expect(existsSync(path.join(master.publication, "head"))).toBe(false);
  });
});

describeWithDuplicity("a replica", () => {
  test("refuses a publication signed with another key", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const master = await publishedMaster(folder, tree);
    const other = await makeMaster(path.join(folder, "other"), { tree });
    const replica = makeReplica(path.join(folder, "replica"), {
      sources: master.sources,
      keyFile: other.keyFile,
    });
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    expectRefusal(result, { exitCode: 5, message: /sign|key/ });
    expect(readdirSync(replica.tree)).toEqual([]);
  });

  test("says that an empty folder is not a source", async () => {
    const folder = fastTemporaryFolder();
    const master = await makeMaster(folder, { tree: path.join(folder, "tree") });
    mkdirSync(path.join(folder, "empty"));
    const sources = [fileUrl(path.join(folder, "empty"))];
    const replica = makeReplica(path.join(folder, "replica"), { sources, keyFile: master.keyFile });
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    expectRefusal(result, { exitCode: 4, message: /source/ });
  });

  test("says that nobody answers at a source", async () => {
    const folder = fastTemporaryFolder();
    const master = await makeMaster(folder, { tree: path.join(folder, "tree") });
    const server = await startCountingServer(folder);
    await server.close();
    const replica = makeReplica(path.join(folder, "replica"), {
      sources: [`${server.url}/pub`],
      keyFile: master.keyFile,
    });
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    expectRefusal(result, { exitCode: 4, message: /source/ });
  });

  test("refuses a web page in place of a head", async () => {
    const folder = fastTemporaryFolder();
    const master = await makeMaster(folder, { tree: path.join(folder, "tree") });
    const site = path.join(folder, "site");
    mkdirSync(site);
    writeFileSync(path.join(site, "head"), "<!doctype html><title>Welcome</title>\n");
    const server = await startCountingServer(site);
    const replica = makeReplica(path.join(folder, "replica"), {
      sources: [server.url],
      keyFile: master.keyFile,
    });
    const result = await dupmirror(["replica", "sync", "-c", replica.configFile]);
    await server.close();
    expectRefusal(result, { exitCode: 5, message: /head|sign/ });
  });
});

async function publishedMaster(folder: string, tree: string): ReturnType<typeof makeMaster> {
  makeTree(tree, { files: 20 });
  const master = await makeMaster(folder, { tree });
  await publish(master);
  return master;
}

/** A folder with all programs of this machine but duplicity. */
function pathWithoutDuplicity(folder: string): string {
  mkdirSync(folder);
  const linked = new Set(["duplicity"]);
  for (const programs of ["/usr/local/bin", "/usr/bin", "/usr/sbin"].filter((one) =>
    existsSync(one),
  )) {
    for (const name of readdirSync(programs).filter((one) => !linked.has(one))) {
      symlinkSync(path.join(programs, name), path.join(folder, name));
      linked.add(name);
    }
  }
  return folder;
}
