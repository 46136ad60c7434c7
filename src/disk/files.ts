/** Reading files that are not in a mirrored tree: state, repository, publication, a source that is a folder. */
import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { type FileHandle, open, stat as statLater } from "node:fs/promises";
import { MirrorError } from "../errors.js";
import { describe, diskFailure, systemCode } from "./disk-failure.js";
import { writeAll } from "./file-io.js";
import { unlessAborted } from "./unless-aborted.js";

/** What changes when a file is written or replaced. */
export interface FileIdentity {
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
  readonly birthNs: bigint;
}

/** @throws MirrorError DISK_FAILED */
export function readFileIfPresent(file: string): Uint8Array | undefined {
  return ifPresent(`cannot read ${file}`, () => readFileSync(file));
}

/** A new file that needs not outlive a crash; nothing may stand there. @throws MirrorError DISK_SPACE, DISK_FAILED */
export function writeNewFile(file: string, bytes: Uint8Array): void {
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const descriptor = openSync(file, flags, 0o600);
    try {
      writeAll(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw diskFailure(error, `cannot write ${file}`);
  }
}

/** The identity of a file or folder; symlinks are followed. @throws MirrorError DISK_FAILED */
export function fileIdentity(path: string): FileIdentity | undefined {
  const stat = ifPresent(`cannot look at ${path}`, () => statSync(path, { bigint: true }));
  if (stat === undefined) return undefined;
  return {
    sizeBytes: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    inode: stat.ino,
    birthNs: stat.birthtimeNs,
  };
}

export function isSocket(path: string): boolean {
  return ifPresent(`cannot look at ${path}`, () => statSync(path))?.isSocket() === true;
}

/** Text that differs when a file was written or replaced since. @throws MirrorError SOURCE_MISSING, DISK_FAILED */
export async function fileVersion(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await statLater(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join("-");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw diskFailure(error, `cannot look at ${file}`);
    throw new MirrorError("SOURCE_MISSING", `${file}: ${describe(error)}`, { cause: error });
  }
}

/** The names in a folder as latin1, sorted; none when there is no folder. @throws MirrorError DISK_FAILED */
export function listFolder(folder: string): string[] {
  const names = ifPresent(`cannot list ${folder}`, () => readdirSync(folder, "latin1"));
  return (names ?? []).sort();
}

/** Whether the folder holds nothing, or is not there. @throws MirrorError DISK_FAILED */
export function isEmptyFolder(folder: string): boolean {
  return listFolder(folder).length === 0;
}

/**
 * Exactly these bytes of a file of a source; at the beginning of `into`, if it is given.
 * @throws MirrorError SOURCE_MISSING, SOURCE_SHORT, SOURCE_INVALID (not a file), SOURCE_UNREACHABLE (the rest)
 */
export async function readRange(
  file: string,
  offset: number,
  sizeBytes: number,
  options: { readonly into?: Uint8Array; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  return unlessAborted(options.signal, async () => {
    const handle = await openSource(file);
    try {
      const bytes = options.into?.subarray(0, sizeBytes) ?? Buffer.allocUnsafe(sizeBytes);
      const size = await fill(file, handle, bytes, offset);
      if (size === sizeBytes) return bytes;
      throw new MirrorError(
        "SOURCE_SHORT",
        `${file}: ends at byte ${offset + size}, ${offset + sizeBytes} expected`,
      );
    } finally {
      await handle.close();
    }
  });
}

/**
 * The bytes of a file of a source from `start` to its end, in pieces of FILE_PIECE_BYTES, the last one shorter; throws as
 * `readRange` does. Each piece has memory of its own, or what `take` gives for it: so many bytes.
 */
export async function* streamFile(
  file: string,
  options: {
    readonly start?: number;
    readonly take?: () => Uint8Array;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<Uint8Array> {
  const { take = () => Buffer.allocUnsafe(FILE_PIECE_BYTES), signal } = options;
  const handle = await openUnlessAborted(file, signal);
  try {
    let position = options.start ?? 0;
    for (let size = FILE_PIECE_BYTES; size === FILE_PIECE_BYTES; position += size) {
      const bytes = take();
      size = await unlessAborted(signal, () => fill(file, handle, bytes, position));
      if (size > 0) yield bytes.subarray(0, size);
    }
  } finally {
    const closed = handle.close();
    if (signal.aborted) closed.catch(() => undefined);
    else await closed;
  }
}

export const FILE_PIECE_BYTES = 256 * 1024;

async function openSource(file: string): Promise<FileHandle> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw sourceFailure(error, file);
  }
}

/** As `openSource`; a file that is opened though nobody waits for it any more is closed. */
async function openUnlessAborted(file: string, signal: AbortSignal): Promise<FileHandle> {
  signal.throwIfAborted();
  const opening = openSource(file);
  try {
    return await unlessAborted(signal, () => opening);
  } catch (error) {
    opening.then((handle) => handle.close()).catch(() => undefined);
    throw error;
  }
}

/** Reads until `bytes` is full or the file ends; how many bytes were read. */
async function fill(
  file: string,
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<number> {
  try {
    let done = 0;
    while (done < bytes.length) {
      const room = bytes.length - done;
      const { bytesRead } = await handle.read(bytes, done, room, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  } catch (error) {
    throw sourceFailure(error, file);
  }
}

function sourceFailure(error: unknown, file: string): unknown {
  const code = systemCode(error);
  if (code === undefined || error instanceof MirrorError) return error;
  const message = `${file}: ${describe(error)}`;
  return new MirrorError(SOURCE_CODES.get(code) ?? "SOURCE_UNREACHABLE", message, { cause: error });
}

const SOURCE_CODES = new Map<string, "SOURCE_MISSING" | "SOURCE_INVALID">([
  ["ENOENT", "SOURCE_MISSING"],
  ["ENOTDIR", "SOURCE_MISSING"],
  ["EISDIR", "SOURCE_INVALID"],
  ["ENXIO", "SOURCE_INVALID"],
  ["ELOOP", "SOURCE_INVALID"],
]);

function ifPresent<T>(doing: string, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw diskFailure(error, doing);
  }
}
