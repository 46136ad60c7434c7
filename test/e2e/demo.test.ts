import { readdirSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { dupmirrorWorks, startDupmirror } from "../support/cli.js";
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

  test("clears away what it made when it is interrupted", async () => {
    const folder = temporaryFolder();
    vi.stubEnv("TMPDIR", folder);
    const demo = startDupmirror(["demo"]);
    onTestFinished(() => demo.kill("SIGKILL"));
    await vi.waitFor(() => expect(readdirSync(folder)).toHaveLength(1), 60_000);
    demo.kill("SIGINT");
    expect(await demo.ended).toMatchObject({ exitCode: 130, stderr: "" });
    expect(readdirSync(folder)).toEqual([]);
    vi.unstubAllEnvs();
  });
});
