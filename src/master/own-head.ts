import { isMirrorError } from "../errors.js";
import { type Head, parseHead } from "../manifest/head.js";
import type { SigningKey } from "../manifest/keys.js";
import { openNote } from "../manifest/signed-note.js";

/** Undefined for what is no head that our key signed. */
export function openOwnHead(bytes: Uint8Array, key: SigningKey): Head | undefined {
  try {
    return parseHead(openNote(bytes, [key.verifier]));
  } catch (error) {
    if (isMirrorError(error, "SIGNATURE_INVALID", "HEAD_INVALID")) return undefined;
    throw error;
  }
}
