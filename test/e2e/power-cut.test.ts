/** A replica whose host loses power: only what reached the disk is left, and the next run makes it right. */
import { describe, expect, test } from "vitest";
import type { RunningCommand } from "../support/cli.js";
import { whileStopped } from "../support/killing.js";
import { Random } from "../support/random.js";
import { restarted } from "../support/restarted.js";
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
      const disk = new Disk(fastTemporaryFolder(), kind, options);
      const replica = new UpdatingReplica(`${disk.place}/replica`, updates.of(name));
      const check = (copy: DiskCopy, isDone: boolean) =>
        disk.restart(copy, (place) => checkRestarted(replica.at(`${place}/replica`), isDone));
      await cutOften({ replica, disks: [disk], cut: () => disk.cut(), check, seed });
    });
  });

  describe("with the state on a disk of its own", () => {
    test.each(TESTED)(`in %s loses nothing (SEED=${seed})`, async (name) => {
      const disk = new Disk(fastTemporaryFolder(), "ext4", "noauto_da_alloc");
      const other = new Disk(fastTemporaryFolder(), "ext4", "noauto_da_alloc");
      const state = `${other.place}/state`;
      const replica = new UpdatingReplica(`${disk.place}/replica`, updates.of(name), state);
      const cut = (command: RunningCommand | undefined) => {
        const both = () => [other.cut(), disk.cut()] as const;
        return command === undefined ? both() : whileStopped(command, both);
      };
      const check = ([stateCopy, copy]: ReturnType<typeof cut>, isDone: boolean) =>
        other.restart(stateCopy, (statePlace) =>
          disk.restart(copy, (place) =>
            checkRestarted(replica.at(`${place}/replica`, `${statePlace}/state`), isDone),
          ),
        );
      await cutOften({ replica, disks: [disk, other], cut, check, seed });
    });
  });
});

interface Cutting<T> {
  readonly replica: UpdatingReplica;
  readonly disks: readonly Disk[];
  /** What is on the disks now, while the command runs. */
  readonly cut: (command: RunningCommand | undefined) => T;
  /** What was on the disks keeps the promises; `isDone` when the command had ended. */
  readonly check: (copy: T, isDone: boolean) => Promise<void>;
  readonly seed: number;
}

/** Cuts the power at some moments of each run, and after it. */
async function cutOften<T>({ replica, disks, cut, check, seed }: Cutting<T>): Promise<void> {
  const random = new Random(seed);
  await replica.prepare();
  const cutIn: Phase[] = [];
  while (cutIn.length < CUTS) {
    replica.reset();
    for (const disk of disks) disk.sync();
    const command = replica.run();
    const copies: T[] = [];
    for (let moment = 0; moment < 3; moment++) {
      if (!(await replica.reach(command, randomMoment(random)))) break;
      if (random.next() < 0.25) {
        random.pick(disks).settle();
      } else {
        cutIn.push(replica.phase());
        copies.push(cut(command));
      }
    }
    expect(await command.ended).toMatchObject({ exitCode: 0 });
    for (const copy of copies) await check(copy, false);
    await check(cut(undefined), true);
  }
  if (IS_SLOW) console.info(replica.update.name, cutIn.join(" "));
}

/** What is on the disk keeps the promises, and the next run makes it right; what was reported done is done. */
async function checkRestarted(replica: UpdatingReplica, isDone: boolean): Promise<void> {
  expect(replica.faultsNow()).toEqual([]);
  if (isDone) expect(replica.isAtTarget()).toBe(true);
  restarted(replica.tree);
  await replica.runAgain();
  expect(replica.faultsAtEnd()).toEqual([]);
}
