import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { dupmirrorWorks } from "../support/cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { makeTree } from "../support/trees.js";
import { describeWithDuplicity } from "./support/corpus.js";

describeWithDuplicity("the demo", () => {
  test("follows with a source killed, and leaves nothing behind", async () => {
    const folder = temporaryFolder();
    const tree = temporaryFolder();
    makeTree(tree, { files: 60 });
    const before = readdirSync(tree, { recursive: true }).sort();
    const { stdout } = await dupmirrorWorks(["demo", tree, "--json"], {
      environment: { TMPDIR: folder },
      timeoutMs: 150_000,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      differences: [],
      stages: [
        { strategy: "fresh", generation: 1 },
        { strategy: "follow", generation: 2 },
        { strategy: "follow", generation: 3 },
        { strategy: "none", generation: 3 },
      ],
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(readdirSync(tree, { recursive: true }).sort()).toEqual(before);
  });
});
