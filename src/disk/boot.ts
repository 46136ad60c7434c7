import { readFileIfPresent } from "./files.js";

/** Which start of the machine this is: what was written since then is read back as it was written. */
export function bootId(): string | undefined {
  const bytes = readFileIfPresent("/proc/sys/kernel/random/boot_id");
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes).trim();
}
