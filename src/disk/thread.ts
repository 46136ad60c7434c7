/** The system's view of the thread that calls. */
import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import path from "node:path";

/** Lets all others go first when processors are busy, from now on. Returns the thread's number. */
export function lowerThreadPriority(): number {
  const thread = Number(path.basename(readlinkSync("/proc/thread-self")));
  setPriority(thread, constants.priority.PRIORITY_LOW);
  return thread;
}
