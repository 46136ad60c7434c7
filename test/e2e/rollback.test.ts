import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import {
  dupmirror,
  dupmirrorWorks,
  expectRefusal,
  parseSyncReport,
  startDupmirror,
} from "../support/cli.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { copyTree, liveOneStep, makeTree } from "../support/trees.js";
import { makeMaster, makeReplica, publish, sync } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

describeWithDuplicity("a replica that was rolled back", () => {
  test("stays where it is under the daemon, and follows again when it is told to", async () => {
    const folder = fastTemporaryFolder();
    const tree = path.join(folder, "tree");
    const files = makeTree(tree, { files: 60 });
    const master = await makeMaster(folder, { tree });
    const copies = ["first", "second"].map((name) => path.join(folder, name));
    for (const [step, copy] of copies.entries()) {
      liveOneStep(tree, files, step + 1);
      await publish(master);
      await copyTree(tree, copy);
    }
    const [first = "", second = ""] = copies;
    const more = { poll: { every: "1s", jitter: "10%" }, delete: { maxPercent: 100, maxFiles: 5 } };
    const replica = makeReplica(path.join(folder, "replica"), { ...master, more });
    await sync(replica);
    const words = ["replica", "rollback", "-c", replica.configFile];

    const listed = await dupmirrorWorks(words);
    expect(listed.stdout).toMatch(
      /^pub: 2 sets to go back to \(generation 2\)\n {2}\S+Z {2}full\./,
    );
    expect(listed.stdout).toMatch(/inc\.\S+ {2}\(the tree's, newest\)$/);
    const set = /full\.\w+/.exec(listed.stdout)?.[0] ?? "";
    expectRefusal(await dupmirror([...words, "--to", "full.20010101T000000Z"]), {
      exitCode: 9,
      message:
        /does not hold full\.20010101T000000Z; it holds 2 sets from \w+ to \w+: .* lists them$/,
    });
    expectRefusal(await dupmirror([...words, "--to", "last week"]), {
      exitCode: 2,
      message: /^dupmirror: --to: expected newest, a set such as .*, got "last week"$/,
    });
    expectRefusal(await dupmirror([...words, "--to", set]), {
      exitCode: 6,
      message: /force-purge/,
    });
    expect(compareTrees(second, replica.tree)).toEqual([]);
    const plan = await dupmirrorWorks([...words, "--to", set, "--force-purge", "-n"]);
    expect(plan.stdout).toMatch(/would rebase from inc\.\S+ to full\./);
    expect(compareTrees(second, replica.tree)).toEqual([]);

    writeFileSync(path.join(replica.tree, "local"), "only here");
    const done = await dupmirrorWorks([...words, "--to", set, "--force-purge"]);
    expect(done.stdout).toContain(`\n  held at ${set} since `);
    expect(compareTrees(first, replica.tree)).toEqual([]);

    const daemon = startDupmirror(["replica", "run", "-c", replica.configFile]);
    onTestFinished(() => daemon.kill("SIGKILL"));
    await vi.waitFor(() => expect(daemon.log()).toMatch(/tree\.held/), PATIENCE);
    rmSync(path.join(tree, files[0] ?? ""));
    await publish(master, "--full");
    await vi.waitFor(async () => {
      const asking = ["replica", "status", "--json", "-c", replica.configFile];
      const status = Status.parse(JSON.parse((await dupmirrorWorks(asking)).stdout));
      expect(status).toMatchObject({ isCurrent: false, head: { generation: 3 }, held: { set } });
    }, PATIENCE);
    expect(await dupmirror([...words, "--to", "newest"])).toMatchObject({ exitCode: 7 });
    expect(compareTrees(first, replica.tree)).toEqual([]);
    daemon.kill("SIGTERM");
    await daemon.ended;

    const status = await dupmirrorWorks(["replica", "status", "-c", replica.configFile]);
    expect(status.stdout).toMatch(/^pub: held\n/);
    const report = await sync(replica);
    expect(report).toMatchObject({ strategy: "none", held: { set, isReached: true } });
    const ending = [...words, "--json", "--to", "newest", "--force-purge"];
    expect(parseSyncReport(await dupmirrorWorks(ending))).toMatchObject({ strategy: "rebase" });
    expect(compareTrees(tree, replica.tree)).toEqual([]);
    expect(await sync(replica)).not.toHaveProperty("held");
  });
});

const PATIENCE = { timeout: 30_000, interval: 200 };

const Status = z.looseObject({
  isCurrent: z.boolean(),
  head: z.looseObject({ generation: z.number() }),
  held: z.looseObject({ set: z.string() }).optional(),
});
