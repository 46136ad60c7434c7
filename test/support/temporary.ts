/** Folders that a test makes and that are gone when it ends. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = makeFolder(tmpdir());
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** The same in memory where the system has that: for hundreds of small cycles, each of which syncs its files. */
export function fastTemporaryFolder(): string {
  const folder = makeFolder(existsSync(MEMORY) ? MEMORY : tmpdir());
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** A folder that the caller removes with `removeFolder`, in `afterAll` say. */
export function lastingFolder(): string {
  return makeFolder(tmpdir());
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
