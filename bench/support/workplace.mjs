/** Folders of a scenario, in memory where that is possible, and gone when it ends. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const PLACES = { memory: existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), disk: tmpdir() };

const made = new Set();

export class Workplace {
  #folders = new Set();

  /** A new folder; `place` is `memory` or `disk`. */
  folder(place = "memory") {
    const folder = mkdtempSync(path.join(PLACES[place], "dupmirror-bench-"));
    made.add(folder);
    this.#folders.add(folder);
    return folder;
  }

  remove() {
    for (const folder of this.#folders) removeFolder(folder);
  }
}

/** When the run is cut off. */
export function removeWorkplaces() {
  for (const folder of made) removeFolder(folder);
}

export function emptyFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
}

/** Killed writers may be writing still. */
function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
  made.delete(folder);
}
