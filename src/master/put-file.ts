/** One file of the publication on its way to a host: put where it is not there yet, and looked at afterwards. */
import path from "node:path";
import { equalBytes } from "../bytes/digest.js";
import { readRange } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import type { Host, HostContent } from "../store/host.js";
import type { ByteRange } from "../store/source.js";
import type { PushFile } from "./plan-push.js";

export interface PutOptions {
  /** Where the file is read: the publication. */
  readonly folder: string;
  readonly random: Runtime["random"];
  readonly signal: AbortSignal;
}

/**
 * Brings `file` to the host. One that has its size there, and its end, is not put again: a push that was cut off goes on
 * where it was.
 * @throws MirrorError SOURCE_INVALID when the host gives back something else than it was given
 */
export async function putFile(host: Host, file: PushFile, options: PutOptions): Promise<void> {
  const content = openContent(file, options);
  if (!file.isOpen && (await isThere(host, file, { content, ...options }))) return;
  await host.put(file.path, content, options);
  if ((await findFault(host, file, { content, ...options })) === undefined) return;
  const whole = { ...content, heldBytes: 0 };
  await host.put(file.path, whole, options);
  const fault = await findFault(host, file, { content: whole, ...options });
  if (fault === undefined) return;
  const message = `${file.path}: ${fault}, after it was put twice`;
  throw new MirrorError("SOURCE_INVALID", message);
}

/** Enough to tell a file from another, and from one whose end never reached the disk. */
const END_BYTES = 4096;

/** Read back of what was put: a server that cut, changed or misplaced it shows anywhere; single lost bits are the audit's. */
const SAMPLE_BYTES = 65_536;

interface Looking extends PutOptions {
  readonly content: HostContent;
}

function openContent(file: PushFile, { folder, signal }: PutOptions): HostContent {
  const place = path.join(folder, file.path);
  return {
    sizeBytes: file.sizeBytes,
    heldBytes: file.heldBytes,
    read: ({ offset, sizeBytes }, into) =>
      readRange(place, offset, sizeBytes, { signal, ...(into === undefined ? {} : { into }) }),
  };
}

async function isThere(host: Host, file: PushFile, looking: Looking): Promise<boolean> {
  const sizeBytes = await host.size(file.path, looking);
  return sizeBytes === file.sizeBytes && (await isSame(host, file, endOf(file), looking));
}

/** What is wrong with the file at the host; undefined when nothing was found. */
async function findFault(
  host: Host,
  file: PushFile,
  looking: Looking,
): Promise<string | undefined> {
  const sizeBytes = (await host.size(file.path, looking)) ?? 0;
  if (sizeBytes < file.sizeBytes) {
    return `${sizeBytes} bytes are there of ${file.sizeBytes} that were put`;
  }
  for (const range of [endOf(file), chooseSample(looking)]) {
    if (await isSame(host, file, range, looking)) continue;
    return `what is there from byte ${range.offset} on is not what was put`;
  }
  return undefined;
}

async function isSame(
  host: Host,
  file: PushFile,
  range: ByteRange,
  { content, signal }: Looking,
): Promise<boolean> {
  try {
    const there = await host.read(file.path, range, { signal });
    return equalBytes(there, await content.read(range));
  } catch (error) {
    if (isMirrorError(error, "SOURCE_MISSING", "SOURCE_SHORT")) return false;
    throw error;
  }
}

function endOf({ sizeBytes }: PushFile): ByteRange {
  const size = Math.min(END_BYTES, sizeBytes);
  return { offset: sizeBytes - size, sizeBytes: size };
}

/** Somewhere in what was new. */
function chooseSample({ content, random }: Looking): ByteRange {
  const newBytes = content.sizeBytes - content.heldBytes;
  const sizeBytes = Math.min(SAMPLE_BYTES, newBytes);
  const offset = content.heldBytes + Math.floor(random() * (newBytes - sizeBytes + 1));
  return { offset, sizeBytes };
}
