/**
 * What each host was last filled with, kept so that a head that waits for other hosts does not cause another copy of
 * everything. A ledger's line names its blocks by hash, so a record that fits our ledgers is true for as long as the host
 * keeps its files; a record that is lost costs a copy from where the host's own head ends.
 */
import path from "node:path";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { isMirrorError } from "../errors.js";
import { formatHead, type Head, parseHead } from "../manifest/head.js";

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
  const file = filledPath(stateDirectory, host);
  makeFolder(path.dirname(file));
  replaceFile(file, formatHead({ ...target, sources: [] }));
}

function filledPath(stateDirectory: string, host: string): string {
  return path.join(stateDirectory, "hosts", encodeURIComponent(host));
}
