/** Files that hold what nobody else may know. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { isMirrorError, MirrorError } from "../errors.js";
import { WORKING_FILE_MAX_BYTES } from "../limits.js";
import { describe, systemCode } from "./disk-failure.js";

/**
 * The text of a secret's file, without the newline at its end. Errors name the file, never what is in it.
 * @param key how the config calls the file
 * @throws MirrorError CONFIG_INVALID when it is missing, empty, no text, or open to everybody
 */
export function readSecret(file: string, key: string): string {
  const bytes = readPrivate(file, key);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, "");
  if (text === "") refuse(file, key, "expected a secret, got an empty file");
  return text;
}

/** A file that others may know. @throws MirrorError CONFIG_INVALID when it is missing or empty */
export function readPublicText(file: string, key: string): string {
  const text = readSmall(file, key, () => undefined).toString("utf8");
  if (text.trim() === "") refuse(file, key, "expected a certificate, got an empty file");
  return text;
}

function readPrivate(file: string, key: string): Buffer {
  return readSmall(file, key, (mode) => {
    if ((mode & OTHERS) === 0) return;
    refuse(file, key, `is open to every user of this machine: chmod o= ${file}`);
  });
}

const OTHERS = 0o007;

function readSmall(file: string, key: string, checkMode: (mode: number) => void): Buffer {
  try {
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(descriptor);
      if (!stat.isFile()) refuse(file, key, "expected a file, got something else");
      if (stat.size > WORKING_FILE_MAX_BYTES) {
        refuse(file, key, `expected at most ${WORKING_FILE_MAX_BYTES} bytes, got ${stat.size}`);
      }
      checkMode(stat.mode);
      return readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (isMirrorError(error) || systemCode(error) === undefined) throw error;
    return refuse(file, key, `cannot be read: ${describe(error)}`, error);
  }
}

function refuse(file: string, key: string, why: string, cause?: unknown): never {
  throw new MirrorError("CONFIG_INVALID", `${key} ${file}: ${why}`, { cause });
}
