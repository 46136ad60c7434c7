/** Files that a command makes once, and never over an older one. */
import path from "node:path";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { fileIdentity } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { makeKeyPair } from "../manifest/keys.js";

export interface KeyPairFiles {
  readonly keyFile: string;
  readonly publicKeyFile: string;
  /** The text of the public one. */
  readonly verifierKey: string;
}

/** @throws MirrorError USAGE when one of the files is there, KEY_INVALID */
export function writeKeyPair(options: {
  readonly folder: string;
  readonly name: string;
  readonly seed: Uint8Array;
}): KeyPairFiles {
  const { folder, name, seed } = options;
  const { signingKey, verifierKey } = makeKeyPair(name, seed);
  const keyFile = path.join(folder, `${name}.key`);
  const publicKeyFile = path.join(folder, `${name}.pub`);
  refuseExisting([keyFile, publicKeyFile]);
  writeNewFile(keyFile, `${signingKey}\n`, 0o600);
  writeNewFile(publicKeyFile, `${verifierKey}\n`, 0o644);
  return { keyFile, publicKeyFile, verifierKey };
}

/** @throws MirrorError USAGE when the file is there */
export function writeNewFile(file: string, text: string, mode: number): void {
  refuseExisting([file]);
  makeFolder(path.dirname(file));
  replaceFile(file, Buffer.from(text), { mode });
}

/** @throws MirrorError USAGE */
export function refuseExisting(files: readonly string[]): void {
  for (const file of files) {
    if (fileIdentity(file) !== undefined) {
      throw new MirrorError("USAGE", `${file} is there already; move it away to begin anew`);
    }
  }
}
