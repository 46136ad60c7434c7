/** Small file systems of a test's own; they are unmounted when the test ends, however it ends. */
import {
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa, execaSync } from "execa";
import { onTestFinished } from "vitest";

/** And the packages that bring them. */
const PROGRAMS = [
  ["mkfs.xfs", "xfsprogs"],
  ["mkfs.ext4", "e2fsprogs"],
] as const;

/** Why there can be none here; undefined when there can. */
export const NO_FILE_SYSTEMS = findReason();

/** Mounts until the test ends, or until `unmount`. */
function mount(place: string, ...words: readonly string[]): void {
  mkdirSync(place, { recursive: true });
  execaSync("mount", [...words, place]);
  onTestFinished(() => unmount(place));
}

/** Unmounts `places`, in this order, if this process dies before the test ends. */
function unmountAfterDeath(...places: readonly string[]): void {
  const script = 'cat; umount --lazy "$@"';
  const watcher = execa("sh", ["-c", script, "sh", ...places], {
    ...{ stdin: "pipe", stdout: "ignore", stderr: "ignore", reject: false },
    ...{ detached: true, cleanup: false },
  });
  onTestFinished(() => {
    watcher.stdin.end();
  });
}

/** Whatever still uses it keeps it only for itself. */
function unmount(place: string): void {
  if (execaSync("mountpoint", ["--quiet", place], { reject: false }).failed) return;
  const { failed } = execaSync("umount", [place], { reject: false });
  if (failed) execaSync("umount", ["--lazy", place]);
}

function makeImage(
  file: string,
  kind: "ext4" | "xfs",
  sizeBytes: number,
  words: readonly string[] = [],
): void {
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  execaSync(`mkfs.${kind}`, ["-q", ...words, file]);
}

/**
 * A disk whose power can be cut: a copy of it is made in one moment, while it is written to, and holds what had
 * reached the disk by then. The image lies on a file system that shares blocks between copies, and keeps writers away
 * while it copies.
 */
export class Disk {
  /** Where it is mounted. */
  readonly place: string;
  readonly #kind: "ext4" | "xfs";
  readonly #below: string;
  readonly #cutPlace: string;

  constructor(folder: string, kind: "ext4" | "xfs", mountOptions: string) {
    const below = path.join(folder, "below");
    this.place = path.join(folder, "disk");
    this.#cutPlace = path.join(folder, "cut");
    unmountAfterDeath(this.#cutPlace, this.place, below);
    makeImage(path.join(folder, "below.img"), "xfs", 1536 * MIB);
    mount(below, "-o", "loop,discard", path.join(folder, "below.img"));
    this.#kind = kind;
    this.#below = below;
    makeImage(path.join(below, "disk.img"), kind, 320 * MIB);
    mount(this.place, "-o", `loop,${mountOptions}`, path.join(below, "disk.img"));
  }

  /** All that was written so far is on the disk. */
  sync(): void {
    execaSync("sync", ["--file-system", this.place]);
  }

  /** Names, sizes and times reach the disk, and of the bytes of files what the file system must write with them. */
  settle(): void {
    const root = openSync(this.place, constants.O_RDONLY | constants.O_DIRECTORY);
    fsyncSync(root);
    closeSync(root);
  }

  /** The power is cut: what is on the disk now. */
  cut(): DiskCopy {
    const copy = path.join(this.#below, `cut-${performance.now()}.img`);
    copyFileSync(path.join(this.#below, "disk.img"), copy, constants.COPYFILE_FICLONE_FORCE);
    return copy;
  }

  /** The power is back: has `use` look at what was on the disk. */
  async restart(copy: DiskCopy, use: (place: string) => Promise<void> | void): Promise<void> {
    mount(this.#cutPlace, "-o", this.#kind === "xfs" ? "loop,nouuid" : "loop", copy);
    try {
      await use(this.#cutPlace);
    } finally {
      unmount(this.#cutPlace);
      rmSync(copy);
    }
  }
}

/** The file of a copy. */
export type DiskCopy = string;

export interface Room {
  readonly bytes: number;
  readonly inodes: number;
}

/** A file system with little room, of which another writer takes what is left. */
export class SmallSpace {
  readonly place: string;
  readonly #ballast: string;
  #fileCount = 0;

  constructor(folder: string, kind: "tmpfs" | "ext4" | "ext4 until 2038", room: Room) {
    this.place = path.join(folder, "small");
    this.#ballast = path.join(this.place, "of-another");
    unmountAfterDeath(this.place);
    const { bytes, inodes } = room;
    if (kind === "tmpfs") {
      mount(this.place, "-t", "tmpfs", "-o", `size=${bytes},nr_inodes=${inodes}`, "none");
    } else {
      const image = path.join(folder, "small.img");
      // Nothing is held back for root.
      const words = ["-m", "0", "-N", `${inodes}`, "-I", kind === "ext4" ? "256" : "128"];
      makeImage(image, "ext4", bytes + 8 * MIB, words);
      mount(this.place, "-o", "loop", image);
    }
    mkdirSync(this.#ballast);
  }

  /** Takes all room but so much; whoever works here meanwhile may leave less. */
  fill(what: "bytes" | "inodes", leave: number): void {
    const { bavail, bsize, ffree } = statfsSync(this.place);
    const spare = bavail * bsize - leave;
    untilFull(() => {
      if (what === "inodes") for (let left = ffree; left > leave; left--) this.#add();
      else if (spare > 0) this.#addLarge(spare);
    });
  }

  /** Gives all of it back. */
  free(): void {
    rmSync(this.#ballast, { recursive: true });
    mkdirSync(this.#ballast);
  }

  #addLarge(sizeBytes: number): void {
    const file = this.#add();
    const words = ["--length", `${sizeBytes}`, file];
    const { failed } = execaSync("fallocate", words, { reject: false });
    while (failed) appendFileSync(file, Buffer.alloc(65_536));
  }

  #add(): string {
    const file = path.join(this.#ballast, `${this.#fileCount++}`);
    writeFileSync(file, "");
    return file;
  }
}

const MIB = 2 ** 20;

function untilFull(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!String(error).includes("ENOSPC")) throw error;
  }
}

function findReason(): string | undefined {
  if (process.getuid?.() !== 0) return "skipped: only root can mount";
  for (const [program, debian] of PROGRAMS) {
    const { failed } = execaSync(program, ["-V"], { reject: false });
    if (failed) return `skipped: ${program} is not installed (${debian})`;
  }
  if (execaSync("losetup", ["--find"], { reject: false }).failed) return "skipped: no loop devices";
  return mayMount() ? undefined : "skipped: mounts are not allowed here";
}

function mayMount(): boolean {
  const place = mkdtempSync(path.join(tmpdir(), "dupmirror-mount-"));
  const { failed } = execaSync("mount", ["-t", "tmpfs", "none", place], { reject: false });
  if (!failed) execaSync("umount", [place]);
  rmdirSync(place);
  return !failed;
}
