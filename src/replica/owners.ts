/** Which owner an object of the tree shall have on this host. */
import { latin1String } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import { readFileIfPresent } from "../disk/files.js";
import type { Attributes } from "../manifest/contents.js";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * By policy: `none` leaves owners to who writes; `numeric` takes the numbers; `names` maps names through
 * this host's users and groups, and takes the number where a name is unknown, as duplicity does.
 */
export function ownerPolicy(
  policy: ReplicaMirror["owners"],
): (attributes: Attributes) => Owner | undefined {
  switch (policy) {
    case "none":
      return () => undefined;
    case "numeric":
      return ({ uid, gid }) => ({ uid, gid });
    case "names": {
      const users = readNumbers("/etc/passwd");
      const groups = readNumbers("/etc/group");
      return ({ uid, gid, userName, groupName }) => ({
        uid: users.get(userName) ?? uid,
        gid: groups.get(groupName) ?? gid,
      });
    }
  }
}

/** Names and numbers of a file in the form of passwd(5) and group(5). */
function readNumbers(file: string): ReadonlyMap<string, number> {
  const bytes = readFileIfPresent(file);
  const numbers = new Map<string, number>();
  for (const line of bytes === undefined ? [] : latin1String(bytes).split("\n")) {
    const [name, , number] = line.split(":");
    if (name && number && !numbers.has(name)) numbers.set(name, Number(number));
  }
  return numbers;
}
