import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkConfig } from "../../src/cli/config-check.js";
import { initMaster } from "../../src/cli/init-master.js";
import { initReplica } from "../../src/cli/init-replica.js";
import { generateKey } from "../../src/cli/key-generate.js";
import { loadMasterConfig } from "../../src/config/master.js";
import { loadReplicaConfig } from "../../src/config/replica.js";
import { temporaryFolder } from "../support/temporary.js";
import { openTestContext } from "./context.js";

describe("init master", () => {
  it("writes a config, keys and folders, and prints the replica's config", async () => {
    const folder = temporaryFolder();
    const { context, lines } = openTestContext();
    const dir = path.join(folder, "m");
    const options = { tree: path.join(folder, "tree"), dir, name: "pub", k: "2", n: "3" };
    expect(await initMaster(options, context)).toBe(0);
    const file = path.join(dir, "master.yaml");
    const { mirrors } = loadMasterConfig(readFileSync(file, "utf8"), file);
    expect(mirrors).toMatchObject([
      {
        name: "pub",
        tree: path.join(folder, "tree"),
        publication: path.join(dir, "publication"),
        shares: { k: 2, n: 3 },
      },
    ]);
    expect(statSync(path.join(dir, "pub.key")).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(dir, "publication")).isDirectory()).toBe(true);
    const replica = loadReplicaConfig(lines.join("\n"), "replica.yaml");
    expect(replica.mirrors[0]?.sources).toEqual([{ url: `file://${dir}/publication` }]);
    expect(lines.join("\n")).toContain(readFileSync(path.join(dir, "pub.pub"), "utf8").trim());
    expect(await checkConfig({ file }, context)).toBe(0);
  });

  it.each([
    [{}, { k: 4, n: 6 }],
    [{ k: "3" }, { k: 3, n: 5 }],
    [{ n: "3" }, { k: 1, n: 3 }],
  ])("completes %j to %j", async (given, shares) => {
    const dir = temporaryFolder();
    const options = { tree: "/srv/pub", dir, name: "pub", ...given };
    await initMaster(options, openTestContext().context);
    const file = path.join(dir, "master.yaml");
    expect(loadMasterConfig(readFileSync(file, "utf8"), file).mirrors[0]?.shares).toEqual(shares);
  });

  it("writes nothing when a value is wrong", async () => {
    const dir = path.join(temporaryFolder(), "m");
    const options = { tree: "/srv/pub", dir, name: "pub", k: "3", n: "2" };
    await expect(initMaster(options, openTestContext().context)).rejects.toThrow(
      "expected a whole number from k = 3 to 9, got 2",
    );
    expect(statSync(dir, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("never writes over a key", async () => {
    const dir = temporaryFolder();
    const { context } = openTestContext();
    const options = { tree: "/srv/pub", dir, name: "pub" };
    await initMaster(options, context);
    const before = readFileSync(path.join(dir, "pub.key"));
    await expect(initMaster(options, context)).rejects.toMatchObject({ code: "USAGE" });
    expect(readFileSync(path.join(dir, "pub.key"))).toEqual(before);
  });
});

describe("init replica", () => {
  it("writes a config that names the mirror after its key", async () => {
    const dir = temporaryFolder();
    const { context } = openTestContext();
    await generateKey({ name: "fedora", out: dir }, context);
    const options = {
      tree: "/srv/mirror/fedora",
      dir,
      source: ["http://a.example/fedora/", "https://b.example"],
      key: path.join(dir, "fedora.pub"),
    };
    expect(await initReplica(options, context)).toBe(0);
    const file = path.join(dir, "replica.yaml");
    expect(loadReplicaConfig(readFileSync(file, "utf8"), file).mirrors).toMatchObject([
      {
        name: "fedora",
        tree: "/srv/mirror/fedora",
        trust: { keyFile: path.join(dir, "fedora.pub") },
        sources: [{ url: "http://a.example/fedora" }, { url: "https://b.example" }],
      },
    ]);
    expect(await checkConfig({ file }, context)).toBe(0);
  });

  it("refuses a secret key, and a source that it cannot read", async () => {
    const dir = temporaryFolder();
    const { context } = openTestContext();
    await generateKey({ name: "pub", out: dir }, context);
    const options = { tree: "/t", dir, source: ["/s"], key: path.join(dir, "pub.key") };
    await expect(initReplica(options, context)).rejects.toThrow("got a signing key");
    const wrong = { ...options, key: path.join(dir, "pub.pub"), source: ["rsync://x/y"] };
    await expect(initReplica(wrong, context)).rejects.toThrow(
      'sources[0].url: expected an http(s), unix or file URL, got "rsync://x/y"',
    );
  });
});

describe("config check", () => {
  it("looks into the key files", async () => {
    const dir = temporaryFolder();
    const { context } = openTestContext();
    await initMaster({ tree: "/srv/pub", dir, name: "pub" }, context);
    const file = path.join(dir, "master.yaml");
    const text = readFileSync(file, "utf8");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(file, text.replace("pub.key", "pub.pub"));
    await expect(checkConfig({ file }, context)).rejects.toMatchObject({ code: "KEY_INVALID" });
    writeFileSync(file, text.replace("pub.key", "no.key"));
    await expect(checkConfig({ file }, context)).rejects.toThrow("expected a key, got no file");
    writeFileSync(file, text.replace("*/15 *", "99 *"));
    await expect(checkConfig({ file }, context)).rejects.toThrow(`${file}: schedule: "99 * * * *"`);
  });

  it("looks into the files of secrets", async () => {
    const dir = temporaryFolder();
    const { context } = openTestContext();
    await initMaster({ tree: "/srv/pub", dir, name: "pub" }, context);
    const file = path.join(dir, "replica.yaml");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(
      file,
      `mirrors: [{ tree: /t, stateDirectory: /s, trust: { keyFile: pub.pub }, sources: [{ url: "https://a/p", auth: { bearerFile: token } }] }]`,
    );

    const checked = checkConfig({ file }, context);

    await expect(checked).rejects.toThrow(
      `auth.bearerFile ${path.join(dir, "token")}: cannot be read: ENOENT`,
    );
  });
});
