/** The units as they are shipped, under a real systemd. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, vi } from "vitest";
import { dupmirrorWorks } from "../support/cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { makeTree, writeTimed } from "../support/trees.js";
import { type Box, bootBox, makeBox, NO_BOX } from "./support/box.js";

const MASTER = "dupmirror-master@pub";
const REPLICA = "dupmirror-replica@mirror";

describe.skipIf(NO_BOX !== undefined)(`the systemd units ${NO_BOX ?? ""}`, () => {
  test("start, publish, follow and stop, cleanly", { timeout: 900_000 }, async () => {
    const root = await makeBox(temporaryFolder());
    await configure(root);
    const tree = path.join(root, "srv/pub");
    makeTree(tree, { files: 60 });
    writeTimed(tree, "part-0/private", "of another user", 1_600_000_000);
    chmodSync(path.join(tree, "part-0/private"), 0o600);
    chownSync(path.join(tree, "part-0/private"), 4321, 4321);
    const box = await bootBox(root);
    await box.run("systemctl", "start", MASTER);
    await box.run("dupmirror", "master", "trigger", "-c", "/etc/dupmirror/pub.yaml");
    await box.run("systemctl", "start", REPLICA);
    await vi.waitFor(() => expect(compareTrees(tree, path.join(root, "srv/mirror"))).toEqual([]), {
      timeout: 60_000,
      interval: 200,
    });

    for (const unit of [MASTER, REPLICA]) {
      expect(await show(box, unit)).toMatchObject({ ActiveState: "active", NRestarts: "0" });
      await box.run("systemctl", "stop", unit);
      expect(await show(box, unit)).toMatchObject({ ActiveState: "inactive", Result: "success" });
      const journal = await box.run("journalctl", "--unit", unit, "--output=cat", "--no-pager");
      expect(journal).toContain("Deactivated successfully");
      expect(journal).not.toMatch(
        /notify\.failed|Failed with|Failed to start|denied|EPERM|EACCES|EROFS|timed out/,
      );
    }
  });
});

async function configure(root: string): Promise<void> {
  const folder = path.join(root, "etc/dupmirror");
  await dupmirrorWorks(["key", "generate", "pub", "--out", folder]);
  mkdirSync(path.join(root, "srv/pub"), { recursive: true });
  mkdirSync(path.join(root, "srv/mirror"), { recursive: true });
  writeConfig(path.join(folder, "pub.yaml"), {
    name: "pub",
    tree: "/srv/pub",
    publication: "/srv/dupmirror/pub",
    stateDirectory: "/var/lib/dupmirror/pub",
    signing: { keyFile: "/etc/dupmirror/pub.key" },
    shares: { k: 2, n: 3 },
    hosts: [0, 1, 2].map((share) => ({
      name: `host-${share}`,
      url: `file:///srv/dupmirror/host-${share}`,
      shares: [share],
    })),
  });
  writeConfig(path.join(folder, "mirror.yaml"), {
    name: "pub",
    tree: "/srv/mirror",
    stateDirectory: "/var/lib/dupmirror/mirror",
    trust: { keyFile: "/etc/dupmirror/pub.pub" },
    sources: [0, 2].map((share) => `file:///srv/dupmirror/host-${share}`),
  });
}

/** JSON is YAML. */
function writeConfig(file: string, mirror: unknown): void {
  writeFileSync(file, JSON.stringify({ mirrors: [mirror] }));
}

async function show(box: Box, unit: string): Promise<Record<string, string>> {
  const properties = "ActiveState,Result,NRestarts";
  const text = await box.run("systemctl", "show", unit, `--property=${properties}`);
  const pairs = text.split("\n").map((line): [string, string] => {
    const [name = "", ...value] = line.split("=");
    return [name, value.join("=")];
  });
  return Object.fromEntries(pairs);
}
