/** Folders that a test makes and that are gone when it ends. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = makeFolder(tmpdir());
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** The same in memory where there is room: for cycles by the dozen, each of which syncs its files to disk. */
export function fastTemporaryFolder(): string {
  const folder = makeFolder(fastParent());
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** A folder that the caller removes with `removeFolder`, in `afterAll` say. */
export function lastingFolder(): string {
  return makeFolder(tmpdir());
}

/** The same in memory where there is room. */
export function fastLastingFolder(): string {
  return makeFolder(fastParent());
}

/** Removes everything below `folder`, write-protected folders too. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    makeWritable(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

const MEMORY = "/dev/shm";

/** More than all tests together hold at a time. */
const ROOM_BYTES = 2 ** 31;

/** A container may have 64 MB there. */
function fastParent(): string {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= ROOM_BYTES ? MEMORY : tmpdir();
}

function makeFolder(parent: string): string {
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(path.join(parent, "dupmirror-test-"));
}

function makeWritable(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(path.join(folder, entry.name));
  }
}
