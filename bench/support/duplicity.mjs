/** duplicity as its users run it. */
import { fileUrl } from "./dupmirror.mjs";
import { run } from "./processes.mjs";
import { emptyFolder } from "./workplace.mjs";

/** Restores the newest set into an empty folder. `archive` is emptied: as on a fresh machine, there is no cache at the beginning. */
export function restoreWithDuplicity(repository, { archive, target }) {
  emptyFolder(archive);
  emptyFolder(target);
  const words = ["restore", "--no-encryption", "--archive-dir", archive, "--name", "bench"];
  return run("duplicity", [...words, fileUrl(repository), target]);
}
