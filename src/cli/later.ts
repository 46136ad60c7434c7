import { MirrorError } from "../errors.js";

/** Stands in for a command that is promised and not there yet. @throws MirrorError UNSUPPORTED */
export function refuseForNow(command: string, instead: string): never {
  throw new MirrorError("UNSUPPORTED", `${command} comes with a later release; ${instead}`);
}
