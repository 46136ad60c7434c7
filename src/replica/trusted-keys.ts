/** The keys that may sign the mirror's heads. */
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { parseVerifierKey, type VerifierKey } from "../manifest/keys.js";

/** Those of the key file, one a line, and those that accepted heads announced. @throws MirrorError KEY_INVALID */
export function readKeys(keyFile: string, announced: readonly string[]): VerifierKey[] {
  const bytes = readFileIfPresent(keyFile);
  if (bytes === undefined) {
    throw new MirrorError("KEY_INVALID", `${keyFile}: no such key file; copy it from the master`);
  }
  const lines = new TextDecoder().decode(bytes).split("\n");
  const texts = lines.map((line) => line.trim()).filter((line) => line !== "");
  if (texts.length === 0) throw new MirrorError("KEY_INVALID", `${keyFile}: holds no key`);
  try {
    return [...new Set([...texts, ...announced])].map(parseVerifierKey);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "not a key";
    throw new MirrorError("KEY_INVALID", `${keyFile}: ${reason}`, { cause });
  }
}
