import { closeSync, lstatSync, openSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { ConfinedTree } from "../../src/disk/confined.js";
import { closeFile, openLockFile } from "../../src/disk/file-io.js";
import { tryLock } from "../../src/programs/flock.js";
import { makeDevice, makeFifo } from "../../src/programs/special-files.js";
import { syncFileSystem } from "../../src/programs/sync.js";
import { isRoot } from "../disk/identity.js";
import { temporaryFolder } from "../support/temporary.js";

const { signal } = new AbortController();

describe("a lock", () => {
  it("is ours until the file is closed, and nobody else's meanwhile", async () => {
    const file = path.join(temporaryFolder(), "lock");
    const [mine, other] = [openLockFile(file), openLockFile(file)];

    expect(await tryLock(mine, { signal })).toBe(true);
    expect(await tryLock(mine, { signal })).toBe(true);
    expect(await tryLock(other, { signal })).toBe(false);
    closeFile(mine);
    expect(await tryLock(other, { signal })).toBe(true);
    closeFile(other);
  });

  it("needs a file that can be locked", async () => {
    const folder = openSync("/proc/self/status", "r");
    onTestFinished(() => closeSync(folder));

    expect(await tryLock(folder, { signal })).toBe(true);
  });
});

describe("fifos and devices", () => {
  it("are made with names of any bytes, below a tree", async () => {
    const folder = temporaryFolder();
    const tree = ConfinedTree.open(folder);
    onTestFinished(() => tree.close());
    const names = ["plain", "-m 777", "\xff\n'\" $(x)", "b\\c"];

    for (const name of names) {
      await tree.withHostPath(toTreePath(name), (hostPath) =>
        makeFifo(hostPath, 0o640, { signal }),
      );
    }

    expect(readdirSync(folder, "latin1").sort()).toEqual([...names].sort());
    for (const name of names) {
      const stat = lstatSync(Buffer.from(`${folder}/${name}`, "latin1"));
      expect([stat.isFIFO(), stat.mode & 0o7777]).toEqual([true, 0o640]);
    }
    tree.setAttributes(toTreePath("plain"), { mode: 0o1755, mtime: 77 });
    const stat = lstatSync(path.join(folder, "plain"));
    expect([stat.mode & 0o7777, stat.mtimeMs]).toEqual([0o1755, 77_000]);
  });

  it("are not made over what is there", async () => {
    const file = Buffer.from(path.join(temporaryFolder(), "fifo"));
    await makeFifo(file, 0o600, { signal });

    await expect(makeFifo(file, 0o600, { signal })).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      message: /File exists/,
    });
  });

  it.each([
    { type: "characterDevice", major: 1, minor: 3, mode: 0o666 },
    { type: "blockDevice", major: 259, minor: 65_537, mode: 0o600 },
  ] as const)("have their numbers (%o)", async (device) => {
    const file = path.join(temporaryFolder(), "device");
    const made = makeDevice(Buffer.from(file), device, { signal });

    await (isRoot ? expectDevice(made, file, device) : expectRefused(made));
  });
});

async function expectRefused(made: Promise<void>): Promise<void> {
  await expect(made).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
}

async function expectDevice(
  made: Promise<void>,
  file: string,
  device: { readonly type: string; readonly mode: number; readonly minor: number },
): Promise<void> {
  await made;
  const stat = lstatSync(file);
  expect(stat.isBlockDevice()).toBe(device.type === "blockDevice");
  expect(stat.mode & 0o7777).toBe(device.mode);
  expect((stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)).toBe(device.minor);
}

describe("a sync of a file system", () => {
  it("works on any folder of it, and says when there is none", async () => {
    const folder = temporaryFolder();

    await syncFileSystem(folder, { signal });
    await expect(syncFileSystem(`${folder}/none`, { signal })).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
    });
  });
});
