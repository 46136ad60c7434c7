/** Reading and writing through descriptors, exactly. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import { MirrorError } from "../errors.js";
import { diskFailure } from "./disk-failure.js";

/** Exactly these bytes. @throws MirrorError TREE_DIVERGED when the file ends before, DISK_FAILED */
export function readExactly(descriptor: number, position: number, sizeBytes: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  readInto(descriptor, position, bytes);
  return bytes;
}

/** Fills `bytes`. @throws as `readExactly` */
export function readInto(descriptor: number, position: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const size = readSome(descriptor, bytes.subarray(done), position + done);
    if (size === 0) {
      const message = `a file ends at byte ${position + done}, ${position + bytes.length} expected`;
      throw new MirrorError("TREE_DIVERGED", message);
    }
    done += size;
  }
}

/** All of `bytes`, at the descriptor's own position. @throws MirrorError DISK_SPACE, DISK_FAILED */
export function writeFully(descriptor: number, bytes: Uint8Array): void {
  try {
    writeAll(descriptor, bytes);
  } catch (error) {
    throw diskFailure(error, "cannot write a file");
  }
}

/** `bytes` over the first ones of a file, in one step for all but a loss of power. @throws as `writeFully` */
export function overwriteStart(descriptor: number, bytes: Uint8Array): void {
  try {
    writeSync(descriptor, bytes, 0, bytes.length, 0);
  } catch (error) {
    throw diskFailure(error, "cannot write a file");
  }
}

/** As `writeFully`, for those who know the file's name: throws the system's own error. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done);
  }
}

export function statFile(descriptor: number): Stats {
  return fstatSync(descriptor);
}

export function fileSize(descriptor: number): number {
  return fstatSync(descriptor).size;
}

/** Which file of a file system this is and how it was changed last: while it stays the same, so does the content. */
export function fileStamp(stat: Pick<Stats, "ino" | "size" | "ctimeMs">): string {
  const { ino, size, ctimeMs } = stat;
  return [ino, size, ctimeMs].join(" ");
}

/** @throws MirrorError DISK_SPACE, DISK_FAILED: some file systems only now say that a write failed */
export function closeFile(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch (error) {
    throw diskFailure(error, "cannot close a file");
  }
}

function readSome(descriptor: number, into: Uint8Array, position: number): number {
  try {
    return readSync(descriptor, into, 0, into.length, position);
  } catch (error) {
    throw diskFailure(error, "cannot read a file");
  }
}

/** A descriptor of a file that exists to be locked; made if there is none. @throws MirrorError DISK_SPACE, DISK_FAILED */
export function openLockFile(file: string): number {
  try {
    return openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw diskFailure(error, `cannot open ${file}`);
  }
}
