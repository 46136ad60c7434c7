/**
 * A disk on which the process dies: the real one, until a chosen step, which may be half done; after it nothing is written
 * any more, whatever still runs. Tests put it in the place of disk/durable.ts.
 */
import type * as durable from "../../../src/disk/durable.js";

export class Died extends Error {}

type Durable = typeof durable;

/** Steps made so far, and the step in which the process dies. */
export const disk = { steps: 0, dieAt: Number.POSITIVE_INFINITY };

/** The process that died is gone; another one begins. */
export function restart(dieAt = Number.POSITIVE_INFINITY): void {
  disk.steps = 0;
  disk.dieAt = dieAt;
}

export function makeFaulty(real: Durable): Durable {
  return {
    replaceFile: (file, bytes, options) => step(() => real.replaceFile(file, bytes, options)),
    writeAt: (file, offset, bytes) =>
      step(
        () => real.writeAt(file, offset, bytes),
        () => real.writeAt(file, offset, bytes.subarray(0, bytes.length >> 1)),
      ),
    truncateFile: (file, sizeBytes) => step(() => real.truncateFile(file, sizeBytes)),
    // Losing power is another matter: here what was written stays.
    moveFile: (from, to) => step(() => real.moveFile(from, to)),
    syncFile: (file) => step(() => real.syncFile(file)),
    syncFolder: (folder) => step(() => real.syncFolder(folder)),
    makeFolder: (folder, mode) => step(() => real.makeFolder(folder, mode)),
    removeFolder: (folder) => step(() => real.removeFolder(folder)),
    removeFile: (file) => step(() => real.removeFile(file)),
  };
}

function step(whole: () => void, half: () => void = () => undefined): void {
  disk.steps += 1;
  if (disk.steps < disk.dieAt) {
    whole();
    return;
  }
  if (disk.steps === disk.dieAt) half();
  throw new Died(`died in step ${disk.steps}`);
}
