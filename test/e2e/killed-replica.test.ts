/** A replica killed with SIGKILL: the next run makes it right, and readers never see half a file. */
import { describe, expect, test } from "vitest";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { watchTree } from "../support/watchful-reader.js";
import { UPDATES, type Update, usePublishedUpdates } from "./support/updates.js";
import { filesOf, type Phase, randomMoment, UpdatingReplica } from "./support/updating-replica.js";

const IS_SLOW = process.env["SLOW"] !== undefined;

/** A thousand in all. */
function killsOf({ usesThreads }: Update): number {
  if (!IS_SLOW) return usesThreads ? 2 : 3;
  return usesThreads ? 100 : 160;
}

/** So many, and where there are many, more than a fifth of them in either phase that changes something. */
function isEnough(killedIn: readonly Phase[], kills: number): boolean {
  if (killedIn.length < kills) return false;
  if (!IS_SLOW) return true;
  return ["build", "commit"].every(
    (phase) => killedIn.filter((one) => one === phase).length > kills / 5,
  );
}

describe("a replica killed with SIGKILL at random moments", () => {
  const updates = usePublishedUpdates();
  const { seed } = updates;

  test.each(UPDATES)(`of %s is right after the next run (SEED=${seed})`, async (name) => {
    const update = updates.of(name);
    const kills = killsOf(update);
    const random = new Random(seed);
    const replica = new UpdatingReplica(fastTemporaryFolder(), update);
    await replica.prepare();
    const { start, via, target, publication } = update;
    const stops = [start?.tree, publication.trees[via ?? -1] ?? target, target];
    const versions = stops.map((tree) => filesOf(tree));
    const killedIn: Phase[] = [];
    let filesRead = 0;
    for (let round = 0; !isEnough(killedIn, kills); round++) {
      expect(round, "rounds that did not end before the kill").toBeLessThan(10 * kills);
      const said = `round ${round} (SEED=${seed})`;
      replica.reset();
      const reader = watchTree(replica.tree, versions);
      for (let again = 0; again <= round % 2; again++) {
        const command = replica.run();
        if (await replica.reach(command, randomMoment(random))) command.kill("SIGKILL");
        const { signal } = await command.ended;
        if (signal === "SIGKILL") killedIn.push(replica.phase());
        expect(replica.faultsNow(), said).toEqual([]);
      }
      await replica.runAgain();
      expect(await reader.stop(), said).toEqual([]);
      expect(replica.faultsAtEnd(), said).toEqual([]);
      filesRead += reader.filesRead();
    }
    expect(filesRead).toBeGreaterThan(0);
  });
});
