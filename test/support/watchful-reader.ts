/** A reader that has a mirrored tree open all the time, as a web server has, and checks whatever it gets. */
import { lstatSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "./random.js";

export interface WatchfulReader {
  /** Files opened and found whole. */
  filesRead(): number;
  /** Ends the reading; what was wrong, one sentence each. */
  stop(): Promise<string[]>;
}

type FileContents = ReadonlyMap<string, Buffer>;

/** Reads files of `tree` all the time: each must be whole, as in one of `versions`, and never absent if all have it. */
export function watchTree(tree: string, versions: readonly FileContents[]): WatchfulReader {
  const paths = [...new Set(versions.flatMap((files) => [...files.keys()]))];
  const random = new Random();
  const faults: string[] = [];
  const stopping = new AbortController();
  let filesRead = 0;

  const readOne = async (file: string): Promise<void> => {
    const allowed = versions.map((files) => files.get(file));
    const found = await readIfPresent(path.join(tree, file));
    if (found === undefined) {
      if (!allowed.includes(undefined)) faults.push(`${file} was absent for a moment`);
      return;
    }
    filesRead++;
    if (!allowed.some((content) => content?.equals(found))) {
      faults.push(`${file} was of no version: ${found.length} bytes`);
    }
  };
  const reading = (async () => {
    while (!stopping.signal.aborted) {
      await Promise.all([1, 2, 3, 4].map(() => readOne(random.pick(paths))));
      await pause(1);
    }
  })();

  return {
    filesRead: () => filesRead,
    stop: async () => {
      stopping.abort();
      await reading;
      return faults;
    },
  };
}

/** Not through a symlink: what lies behind one has a path of its own. */
async function readIfPresent(file: string): Promise<Buffer | undefined> {
  try {
    return lstatSync(file).isFile() ? await readFile(file) : undefined;
  } catch (error) {
    if (ABSENT.some((code) => String(error).includes(code))) return undefined;
    throw error;
  }
}

/** As Node words them: absent, or something else by the time it was opened. */
const ABSENT = ["ENOENT", "ENOTDIR", "EISDIR"];
