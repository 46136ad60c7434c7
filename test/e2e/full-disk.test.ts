/** A replica whose disk another writer fills: it says so, and with room again it becomes right. */
import { describe, expect, test } from "vitest";
import type { ModelObject } from "../replica/support/model.js";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { NO_FILE_SYSTEMS, type Room, SmallSpace } from "./support/file-systems.js";
import { UPDATES, type Update, usePublishedUpdates } from "./support/updates.js";
import { randomMoment, UpdatingReplica } from "./support/updating-replica.js";

const IS_SLOW = process.env["SLOW"] !== undefined;
/** Of each kind of update, for each way to fill a disk. */
const ROUNDS = IS_SLOW ? 4 : 2;
const TESTED = IS_SLOW ? UPDATES : (["a follow of many sets"] as const);

const WAYS = [
  { part: "tree", kind: "ext4", what: "bytes" },
  { part: "tree", kind: "tmpfs", what: "inodes" },
  { part: "state", kind: "tmpfs", what: "bytes" },
  { part: "tree", kind: "tmpfs", what: "bytes" },
  { part: "tree", kind: "ext4", what: "inodes" },
  { part: "state", kind: "tmpfs", what: "inodes" },
] as const;
const TESTED_WAYS = IS_SLOW ? WAYS : WAYS.slice(0, 3);

describe.skipIf(NO_FILE_SYSTEMS !== undefined)(`a full disk ${NO_FILE_SYSTEMS ?? ""}`, () => {
  const updates = usePublishedUpdates();
  const { seed } = updates;

  describe.each(TESTED_WAYS)("(no $what for the $part on $kind)", ({ part, kind, what }) => {
    test.each(TESTED)(`delays %s and leaves nothing behind (SEED=${seed})`, async (name) => {
      const random = new Random(seed);
      const update = updates.of(name);
      const place = fastTemporaryFolder();
      const space = new SmallSpace(place, kind, part === "tree" ? roomFor(update) : STATE_ROOM);
      const replica =
        part === "tree"
          ? new UpdatingReplica(`${space.place}/replica`, update)
          : new UpdatingReplica(`${place}/replica`, update, `${space.place}/state`);
      await replica.prepare();

      const runOnce = async (fill: (command: ReturnType<typeof replica.run>) => Promise<void>) => {
        const command = replica.run();
        await fill(command);
        const { exitCode, stderr } = await command.ended;
        // When blocks are found for bytes late, it is the program that syncs that says there are none.
        const expected = kind === "ext4" ? [0, 1, 8] : [0, 8];
        expect(expected, stderr).toContain(exitCode);
        expect(stderr).not.toContain("    at ");
        expect(replica.faultsNow()).toEqual([]);
        if (exitCode === 0) expect(replica.faultsAtEnd()).toEqual([]);
        else if (!replica.hasJournal()) expect(replica.leftoversOfBuild()).toEqual([]);
        return exitCode;
      };

      const exits: (number | undefined)[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        replica.reset();
        const leave = random.next() < 0.5 ? 0 : random.below(what === "bytes" ? 2 ** 19 : 50);
        const exit = await runOnce(async (command) => {
          if (await replica.reach(command, randomMoment(random))) space.fill(what, leave);
        });
        exits.push(exit);
        if (exit !== 0 && random.next() < 0.5) exits.push(await runOnce(() => Promise.resolve()));
        space.free();
        await replica.runAgain();
        expect(replica.faultsAtEnd()).toEqual([]);
      }
      if (IS_SLOW) console.info(part, kind, what, name, exits.join(" "));
    });
  });
});

const STATE_ROOM: Room = { bytes: 8 * 2 ** 20, inodes: 200 };

/** For the tree, for all of it once more, and for what a cycle wants to see free. */
function roomFor({ start, target }: Update): Room {
  const objects = [...(start?.tree.values() ?? []), ...target.values()];
  const bytes = objects.reduce((sum, object) => sum + diskBytes(object), 0);
  return { bytes: bytes + 24 * 2 ** 20, inodes: objects.length + 200 };
}

function diskBytes(object: ModelObject): number {
  return 4096 + (object.type === "file" ? object.content.length : 0);
}
