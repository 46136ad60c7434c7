import { readFileIfPresent } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { parseSigningKey, type SigningKey } from "../manifest/keys.js";

/** @throws MirrorError KEY_INVALID */
export function readSigningKey(keyFile: string): SigningKey {
  const bytes = readFileIfPresent(keyFile);
  if (bytes === undefined) {
    const what = "expected a signing key, got no file: make one with dupmirror key generate";
    throw new MirrorError("KEY_INVALID", `signing.keyFile ${keyFile}: ${what}`);
  }
  try {
    return parseSigningKey(Buffer.from(bytes).toString());
  } catch (cause) {
    if (!isMirrorError(cause)) throw cause;
    throw new MirrorError(cause.code, `signing.keyFile ${keyFile}: ${cause.message}`, { cause });
  }
}
