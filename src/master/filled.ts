/**
 * What each host was last filled with, kept so that a head that waits for other hosts does not cause another copy of
 * everything. A ledger's line names its blocks by hash, so a record that fits our ledgers is true for as long as the host
 * keeps its files; a record that is lost costs a copy from where the host's own head ends.
 */
import path from "node:path";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { fileIdentity, readFileIfPresent } from "../disk/files.js";
import { isMirrorError } from "../errors.js";
import { formatHead, type Head, parseHead } from "../manifest/head.js";

/** Whether this master ever wrote to the host. */
export function isKnown(stateDirectory: string, host: string): boolean {
  return fileIdentity(filledPath(stateDirectory, host)) !== undefined;
}

/** From now on the host is known, though nothing is known of what it holds. */
export function beginFilling(stateDirectory: string, host: string): void {
  writeRecord(filledPath(stateDirectory, host), new Uint8Array());
}

export function readFilled(stateDirectory: string, host: string): Head | undefined {
  const bytes = readFileIfPresent(filledPath(stateDirectory, host));
  if (bytes === undefined) return undefined;
  try {
    return parseHead(bytes);
  } catch (error) {
    if (isMirrorError(error, "HEAD_INVALID")) return undefined;
    throw error;
  }
}

export function writeFilled(stateDirectory: string, host: string, target: Head): void {
  writeRecord(filledPath(stateDirectory, host), formatHead({ ...target, sources: [] }));
}

function writeRecord(file: string, bytes: Uint8Array): void {
  makeFolder(path.dirname(file));
  replaceFile(file, bytes);
}

function filledPath(stateDirectory: string, host: string): string {
  return path.join(stateDirectory, "hosts", encodeURIComponent(host));
}
