/** A replica whose host loses power: only what reached the disk is left, and the next run makes it right. */
import { describe, expect, test } from "vitest";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { Disk, type DiskCopy, NO_FILE_SYSTEMS } from "./support/file-systems.js";
import { UPDATES, usePublishedUpdates } from "./support/updates.js";
import { type Phase, randomMoment, UpdatingReplica } from "./support/updating-replica.js";

const IS_SLOW = process.env["SLOW"] !== undefined;
/** Of each kind of update, for each file system. */
const CUTS = IS_SLOW ? 17 : 2;
const TESTED = IS_SLOW ? UPDATES : (["a follow of many sets"] as const);

/** By itself, ext4 writes a file's bytes before it renames the file over another: no program may rely on that. */
const FILE_SYSTEMS = [
  { kind: "ext4", options: "noauto_da_alloc" },
  { kind: "ext4", options: "auto_da_alloc" },
  { kind: "xfs", options: "noatime" },
] as const;
const TESTED_FILE_SYSTEMS = FILE_SYSTEMS.filter(
  ({ options }) => IS_SLOW || options !== "auto_da_alloc",
);

describe.skipIf(NO_FILE_SYSTEMS !== undefined)(`a power cut ${NO_FILE_SYSTEMS ?? ""}`, () => {
  const updates = usePublishedUpdates();
  const { seed } = updates;

  describe.each(TESTED_FILE_SYSTEMS)("on $kind ($options)", ({ kind, options }) => {
    test.each(TESTED)(`in %s loses nothing (SEED=${seed})`, async (name) => {
      const random = new Random(seed);
      const disk = new Disk(fastTemporaryFolder(), kind, options);
      const replica = new UpdatingReplica(`${disk.place}/replica`, updates.of(name));
      await replica.prepare();
      const cutIn: Phase[] = [];
      while (cutIn.length < CUTS) {
        replica.reset();
        disk.sync();
        const command = replica.run();
        const copies: DiskCopy[] = [];
        for (let moment = 0; moment < 3; moment++) {
          if (!(await replica.reach(command, randomMoment(random)))) break;
          if (random.next() < 0.25) {
            disk.settle();
          } else {
            copies.push(disk.cut());
            cutIn.push(replica.phase());
          }
        }
        expect(await command.ended).toMatchObject({ exitCode: 0 });
        copies.push(disk.cut());
        for (const copy of copies) await restart(disk, copy, replica, copy === copies.at(-1));
      }
      if (IS_SLOW) console.info(kind, options, name, cutIn.join(" "));
    });
  });
});

/** What is on the disk keeps the promises, and the next run makes it right; what was reported done is done. */
async function restart(
  disk: Disk,
  copy: DiskCopy,
  replica: UpdatingReplica,
  isDone: boolean,
): Promise<void> {
  await disk.restart(copy, async (place) => {
    const restarted = replica.at(`${place}/replica`);
    expect(restarted.faultsNow()).toEqual([]);
    if (isDone) expect(restarted.isAtTarget()).toBe(true);
    await restarted.runAgain();
    expect(restarted.faultsAtEnd()).toEqual([]);
  });
}
