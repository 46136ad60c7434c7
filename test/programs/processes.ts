/** What runs on this machine. */
import { readdirSync, readFileSync } from "node:fs";

/** Ids of the processes whose command line holds `mark`, other than our own. */
export function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter(
    (id) => /^[0-9]+$/.test(id) && id !== String(process.pid) && commandOf(id).includes(mark),
  );
}

/** Resolves as soon as `isSo`. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function commandOf(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended
  }
}
