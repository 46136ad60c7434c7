/** Where commands keep what must outlive them, when no config says so (XDG Base Directory). */
import { homedir } from "node:os";
import path from "node:path";
import { sha256 } from "../bytes/digest.js";
import type { CommandContext } from "./command.js";

/** The state of the backup `name`. */
export function backupState({ environment }: CommandContext, name: string): string {
  return path.join(stateHome(environment), "backup", name);
}

/** What is kept of a restore to `out` until it is done. */
export function recoveryState({ environment }: CommandContext, out: string): string {
  const name = Buffer.from(sha256(Buffer.from(out))).toString("hex", 0, 8);
  return path.join(stateHome(environment), "restore", name);
}

function stateHome(environment: CommandContext["environment"]): string {
  const given = environment["XDG_STATE_HOME"] ?? "";
  const home = path.isAbsolute(given) ? given : path.join(homedir(), ".local", "state");
  return path.join(home, "dupmirror");
}
