/** One set of the repository to its shares, tables and contents; durable when done, but not yet named by anything. */
import path from "node:path";
import { toBase64url } from "../bytes/digest.js";
import { fileIdentity, streamFile } from "../disk/files.js";
import { MessageFrame } from "../duplicity/message-frame.js";
import type { RepositoryFile } from "../duplicity/names.js";
import type { Shape } from "../erasure/shape.js";
import { chooseStripeSize } from "../erasure/stripe.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { INLINE_VOLUMES_MAX_BYTES, STRIPE_SIZE_BYTES } from "../limits.js";
import type { ContentsEntry } from "../manifest/contents.js";
import type { Stripe } from "../manifest/file-table.js";
import type { LedgerLine, Table } from "../manifest/ledger.js";
import { type Stream, tablePath } from "../manifest/paths.js";
import { NO_CONTENTS, type WrittenContents, writeContents } from "./contents-writer.js";
import type { ExpectedHash, FileEncoder, PlainFile } from "./encode.js";
import { FileTableWriter } from "./file-table-writer.js";
import type { PackWriter } from "./pack-writer.js";
import { fingerprint, type WholeSet } from "./repository.js";
import type { PackEnd } from "./stream-end.js";
import type { UnsyncedFiles } from "./unsynced-files.js";
import { VolumeTap } from "./volume-tap.js";

export interface SetPlace {
  readonly publication: string;
  readonly session: string;
  readonly shape: Shape;
  /** Of that shape. */
  readonly encoder: FileEncoder;
  /** Of the set's chain; they stand where the set before it ended. */
  readonly packs: Readonly<Record<Stream, PackWriter>>;
  readonly unsynced: UnsyncedFiles;
}

export interface EncodedSet {
  /** All of the ledger line but what joins it to the line before. */
  readonly line: Omit<LedgerLine, "previous">;
  /** Bytes of the set's volumes in the repository. */
  readonly volumeBytes: number;
  /** Bytes of one share's blocks of all the set's files. */
  readonly shareBytes: number;
}

export interface EncodeOptions {
  /** Called when a volume was read to its end. */
  readonly onVolume: () => void;
  /** Told of each entry of a set that is not encrypted. */
  readonly onEntry: (entry: ContentsEntry) => void;
  readonly signal: AbortSignal;
}

/**
 * @returns undefined when a file changed while it was read: somebody is still writing the set
 * @throws MirrorError REPOSITORY_INVALID when the set is not what its manifest says
 */
export async function encodeSet(
  repository: string,
  set: WholeSet,
  place: SetPlace,
  options: EncodeOptions,
): Promise<EncodedSet | undefined> {
  const files = filesOf(set);
  const before = files.map((file) => fingerprint(repository, file));
  const isUnchanged = () =>
    files.every((file, position) => fingerprint(repository, file) === before[position]);
  try {
    const encoded = await encodeParts(repository, set, place, options);
    return isUnchanged() ? encoded : undefined;
  } catch (error) {
    if (
      !isMirrorError(
        error,
        "REPOSITORY_INVALID",
        "FORMAT_INVALID",
        "SOURCE_MISSING",
        "SOURCE_SHORT",
      )
    ) {
      throw error;
    }
    if (!isUnchanged()) return undefined;
    throw new MirrorError(
      "REPOSITORY_INVALID",
      `repository: set ${set.name}: ${error.message}: it and all after it are not published; ` +
        "bring the file back, or make a full backup",
      { cause: error },
    );
  }
}

async function encodeParts(
  repository: string,
  set: WholeSet,
  place: SetPlace,
  options: EncodeOptions,
): Promise<EncodedSet> {
  const [volumes, { table, entryCount }] = set.isEncrypted
    ? [await encodeVolumes(repository, set, place, options), NO_CONTENTS]
    : await encodeAndDescribe(repository, set, place, options);
  const recordFiles = readRecords(repository, set, options.signal);
  const records = await encodeStream(recordFiles, place, { stream: "records", set });
  return {
    line: {
      set: set.set.id,
      manifestHash: records.firstHash,
      shape: place.shape,
      entryCount,
      volumes: volumes.table,
      records: records.table,
      contents: table,
    },
    volumeBytes: volumes.plainBytes,
    shareBytes: volumes.shareBytes + records.shareBytes,
  };
}

async function encodeAndDescribe(
  repository: string,
  set: WholeSet,
  place: SetPlace,
  options: EncodeOptions,
): Promise<[EncodedStream, WrittenContents]> {
  const tap = new VolumeTap();
  return await bothOrNeither(
    tap,
    encodeVolumes(repository, set, place, { ...options, tap }),
    writeContents({
      repository,
      set,
      volumes: tap.volumes,
      file: tableFile(place, "contents", set),
      unsynced: place.unsynced,
      onEntry: options.onEntry,
      signal: options.signal,
    }),
  );
}

/** @param options.tap also told what passes through */
async function encodeVolumes(
  repository: string,
  set: WholeSet,
  place: SetPlace,
  options: EncodeOptions & { readonly tap?: VolumeTap },
): Promise<EncodedStream> {
  const files = readVolumes(repository, set, options);
  return await encodeStream(files, place, { stream: "volumes", set });
}

interface EncodedStream {
  readonly table: Table;
  /** Of the first file, base64url. */
  readonly firstHash: string;
  readonly plainBytes: number;
  readonly shareBytes: number;
}

async function encodeStream(
  files: Iterable<PlainFile>,
  place: SetPlace,
  { stream, set }: { readonly stream: Stream; readonly set: WholeSet },
): Promise<EncodedStream> {
  const { shape, encoder, unsynced } = place;
  const packs = place.packs[stream];
  const inlineMaxBytes = stream === "volumes" ? INLINE_VOLUMES_MAX_BYTES : 0;
  const file = tableFile(place, stream, set);
  const table = new FileTableWriter(file, { shape, inlineMaxBytes, unsynced });
  let firstHash: string | undefined;
  let plainBytes = 0;
  let shareBytes = 0;
  let start: PackEnd | undefined;
  let stripes: Stripe[] = [];
  for await (const event of encoder.encode(files)) {
    start ??= packs.beginFile();
    if (event.kind === "stripe") {
      packs.append(event.blocks);
      stripes.push(event.stripe);
      continue;
    }
    const { sizeBytes, hash } = event;
    await table.add({ ...event.file, sizeBytes, hash, ...start, stripes });
    firstHash ??= toBase64url(hash);
    plainBytes += sizeBytes;
    shareBytes += packs.end.offset - start.offset;
    start = undefined;
    stripes = [];
  }
  return { table: await table.finish(), firstHash: firstHash ?? "", plainBytes, shareBytes };
}

/** Waits for both readers of `tap`; when one fails, the other is let go, and the first failure is thrown. */
async function bothOrNeither<First, Second>(
  tap: VolumeTap,
  first: Promise<First>,
  second: Promise<Second>,
): Promise<[First, Second]> {
  const failures: unknown[] = [];
  const encoding = first.then(
    (value) => {
      tap.close();
      return value;
    },
    (error: unknown) => {
      failures.push(error);
      tap.fail(new MirrorError("CANCELLED", "the set could not be encoded", { cause: error }));
      throw error;
    },
  );
  const describing = second
    .catch((error: unknown) => {
      failures.push(error);
      throw error;
    })
    .finally(() => tap.abandon());
  await Promise.allSettled([encoding, describing]);
  if (failures.length > 0) throw failures[0];
  return [await encoding, await describing];
}

/** The set's volumes, checked against the manifest, each read once. */
function* readVolumes(
  repository: string,
  set: WholeSet,
  { tap, onVolume, signal }: EncodeOptions & { readonly tap?: VolumeTap },
): Generator<PlainFile, void, undefined> {
  const stripeSizeBytes = stripeSizeOf(repository, set);
  for (const volume of set.volumes) {
    const read = readFile(repository, volume, signal);
    const chunks = tap === undefined ? read : tap.pass(volume, read);
    const expected = expectedHash(set, volume);
    const { name, role, number, wrapping } = volume;
    const file = { name, role, number, wrapping, stripeSizeBytes, chunks };
    yield expected === undefined ? file : { ...file, expected };
    onVolume();
  }
}

/** Volumes that are wrapped are read whole: small stripes would be of no use. */
function stripeSizeOf(repository: string, { volumes }: WholeSet): number {
  if (volumes.some(({ wrapping }) => wrapping !== "plain")) return STRIPE_SIZE_BYTES;
  const sizes = volumes.map(
    ({ name }) => fileIdentity(path.join(repository, name))?.sizeBytes ?? 0,
  );
  return chooseStripeSize(sizes.reduce((sum, size) => sum + size, 0));
}

/** The manifest comes first: its hash tells the set from another with the same times. */
function* readRecords(
  repository: string,
  set: WholeSet,
  signal: AbortSignal,
): Generator<PlainFile, void, undefined> {
  const { signatures } = set.set;
  for (const file of signatures === undefined
    ? [set.manifestFile]
    : [set.manifestFile, signatures]) {
    const { name, role, number, wrapping } = file;
    const stripeSizeBytes = STRIPE_SIZE_BYTES;
    const chunks = readFile(repository, file, signal);
    yield { name, role, number, wrapping, stripeSizeBytes, chunks };
  }
}

function readFile(
  repository: string,
  file: RepositoryFile,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const chunks = streamFile(path.join(repository, file.name), { signal });
  return file.wrapping === "gpg" ? checkMessage(file.name, chunks) : chunks;
}

/** The form of an encrypted file is all that can be seen of it, but a file that was cut has another. */
async function* checkMessage(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const frame = new MessageFrame(name);
  for await (const chunk of chunks) {
    frame.push(chunk);
    yield chunk;
  }
  frame.finish();
}

function expectedHash(set: WholeSet, volume: RepositoryFile): ExpectedHash | undefined {
  const listed = set.manifest?.volumes[volume.number - 1]?.hashes ?? [];
  for (const algorithm of ["sha1", "md5"] as const) {
    const hash = listed.find(({ name }) => name.toLowerCase() === algorithm);
    if (hash === undefined) continue;
    const check = (hex: string): void => {
      if (hex === hash.hex.toLowerCase()) return;
      const what = `${volume.name}: expected ${hash.name} ${hash.hex}, got ${hex}`;
      throw new MirrorError("REPOSITORY_INVALID", what);
    };
    return { algorithm, check };
  }
  return undefined;
}

function filesOf(set: WholeSet): readonly RepositoryFile[] {
  const { signatures } = set.set;
  return [set.manifestFile, ...(signatures === undefined ? [] : [signatures]), ...set.volumes];
}

function tableFile(
  place: SetPlace,
  table: "volumes" | "records" | "contents",
  set: WholeSet,
): string {
  return path.join(place.publication, tablePath(table, place.session, set.set.id));
}
