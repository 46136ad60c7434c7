/** duplicity as its users run it. */
import { fileUrl } from "./dupmirror.mjs";
import { run } from "./processes.mjs";
import { emptyFolder } from "./workplace.mjs";

/** What the project promises of a first copy: so many times as fast as `duplicity restore`. */
export const RESTORE_PROMISES = [5, 8];

/** Restores the newest set into `target`, which is empty. So is `archive` then: a fresh machine has no cache. */
export function restoreWithDuplicity(repository, { archive, target }) {
  emptyFolder(archive);
  const words = ["restore", "--no-encryption", "--archive-dir", archive, "--name", "bench"];
  return run("duplicity", [...words, fileUrl(repository), target]);
}
