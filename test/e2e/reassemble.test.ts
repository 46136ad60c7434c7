/** Repositories that somebody else's duplicity wrote, put together again of what is published of them. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { dupmirrorWorks } from "../support/cli.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { type Master, makeMaster, publish, removeHosts } from "../support/workspace.js";
import { describeWithDuplicity, openCorpus } from "./support/corpus.js";
import { file, folder, NO_GPG, PASSPHRASE, stopAgent, writeSet } from "./support/hand-made.js";

describeWithDuplicity("a repository of two chains, compressed", () => {
  test("comes back byte for byte, and damaged files alone are fetched again", async () => {
    const corpus = openCorpus("gzip");
    const { master, place } = await makePublished((repository) => {
      cpSync(corpus.repository(4), repository, { recursive: true });
    });
    cpSync(corpus.repository(5), master.repository, { recursive: true });
    await publish(master);
    const putBack = removeHosts(master.hosts.slice(1, 2));
    const out = path.join(place, "out");
    await reassemble(master, out);
    expect(filesIn(out)).toEqual(filesIn(corpus.repository(5)));
    const [first = "", second = ""] = readdirSync(out);
    cpSync(path.join(out, second), path.join(out, first));
    const said = await reassemble(master, out);
    putBack();
    expect(said).toContain(": 1 file put together,");
    expect(filesIn(out)).toEqual(filesIn(corpus.repository(5)));
  });
});

describe.skipIf(NO_GPG !== undefined)(`an encrypted repository ${NO_GPG ?? ""}`, () => {
  test("comes back byte for byte without any secret, and as a tree with it", async () => {
    const gnupg = path.join(fastTemporaryFolder(), "gnupg");
    const { master, place } = await makePublished((repository) => {
      const volumes = [
        [folder(""), file("a", Buffer.from("first"))],
        [file("b", Buffer.from("b"))],
      ];
      const times = ["full.20231114T221320Z", "inc.20231114T221320Z.to.20231114T221420Z"];
      for (const set of times) writeSet(repository, gnupg, { times: set, volumes, wrap: "gpg" });
    });
    stopAgent(gnupg);
    const putBack = removeHosts(master.hosts.slice(0, 1));
    const out = path.join(place, "out");
    const said = await reassemble(master, out);
    const passphrase = path.join(place, "passphrase");
    writeFileSync(passphrase, PASSPHRASE, { mode: 0o600 });
    const tree = path.join(place, "tree");
    const words = ["--passphrase-file", passphrase, ...sourceWords(master), tree];
    await dupmirrorWorks(["restore", ...words], { environment: elsewhere() });
    putBack();
    expect(filesIn(tree).map(([name]) => name)).toEqual(["a", "b"]);
    expect(readFileSync(path.join(tree, "a"), "utf8")).toBe("first");
    expect(said).toMatch(/to read it: duplicity restore file:/);
    expect(filesIn(out)).toHaveLength(8);
    expect(filesIn(out)).toEqual(filesIn(master.repository));
  });
});

/** A master with three hosts that published what `write` wrote. */
async function makePublished(
  write: (repository: string) => void,
): Promise<{ readonly master: Master; readonly place: string }> {
  const place = fastTemporaryFolder();
  const repository = path.join(place, "repository");
  write(repository);
  const tree = path.join(place, "unused-tree");
  const options = { tree, k: 2, n: 3, externalRepository: repository, withHosts: true };
  const master = await makeMaster(path.join(place, "master"), options);
  await publish(master);
  return { master, place };
}

/** @returns what it printed */
async function reassemble(master: Master, out: string): Promise<string> {
  const words = ["reassemble", ...sourceWords(master), out];
  return (await dupmirrorWorks(words, { environment: elsewhere() })).stdout;
}

function sourceWords({ hosts, keyFile }: Master): string[] {
  return ["--key", keyFile, "--hosts", ...hosts.map((host) => host.folder)];
}

/** A machine that knows nothing. */
function elsewhere() {
  return { XDG_STATE_HOME: fastTemporaryFolder() };
}

/** Name and content of each. */
function filesIn(place: string): [string, string][] {
  const names = readdirSync(place).sort();
  return names.map((name) => [name, readFileSync(path.join(place, name), "base64")]);
}
