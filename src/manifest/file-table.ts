/** The coded files of a set: where their blocks lie in the packs, and what hash each has (docs/formats.md, "file tables"). */
import assert from "node:assert/strict";
import { BinaryReader } from "../bytes/binary-reader.js";
import { BinaryWriter } from "../bytes/binary-writer.js";
import type { FileRole, Wrapping } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { blockSize } from "../erasure/codec.js";
import type { Shape } from "../erasure/shape.js";
import { type Compression, type Striped, stripeCount, stripeSize } from "../erasure/stripe.js";
import { STRIPE_MIN_BYTES, STRIPE_SIZE_BYTES } from "../limits.js";
import { chooseNaming, decodeName, encodeName, NAMINGS, setInName } from "./file-name.js";

export interface CodedFile {
  /** duplicity's own name of the file. */
  readonly name: string;
  readonly role: FileRole;
  /** Volume number from 1; 0 for other roles. */
  readonly number: number;
  readonly wrapping: Wrapping;
  readonly sizeBytes: number;
  readonly stripeSizeBytes: number;
  /** SHA-256 of the whole file. */
  readonly hash: Uint8Array;
  readonly pack: number;
  /** Where the first block lies in its pack; the same in every share. */
  readonly offset: number;
  readonly stripes: readonly Stripe[];
}

/** Stripe s covers the file's bytes from s * stripeSizeBytes on. */
export interface Stripe {
  readonly compression: Compression;
  /** Bytes before padding to k blocks; the block size is `blockSize(storedSizeBytes, k)`. */
  readonly storedSizeBytes: number;
  /** n SHA-256 hashes, 32 bytes each, share 0 first. */
  readonly blockHashes: Uint8Array;
}

/** One page: the files in the order given. */
export function encodeFileTable(files: readonly CodedFile[], shape: Shape): Uint8Array {
  const writer = new BinaryWriter();
  writer.u8(VERSION);
  writer.varint(files.length);
  let last = FIRST;
  for (const file of files) last = encodeFile(writer, file, shape, last);
  return writer.finish();
}

/** @throws MirrorError DOCUMENT_INVALID */
export function decodeFileTable(bytes: Uint8Array, shape: Shape): CodedFile[] {
  const reader = new BinaryReader(bytes, "a file table");
  const version = reader.u8();
  if (version !== VERSION) reader.refuse(`is of version ${version}, expected ${VERSION}`);
  const count = reader.varint();
  const files: CodedFile[] = [];
  let last = FIRST;
  for (let at = 0; at < count; at++) {
    const { file, next } = decodeFile(reader, shape, last);
    files.push(file);
    last = next;
  }
  reader.finish();
  return files;
}

/** Bytes of one share's blocks of `file`. */
export function blocksSize(file: CodedFile, shape: Shape): number {
  let sizeBytes = 0;
  for (const { storedSizeBytes } of file.stripes) sizeBytes += blockSize(storedSizeBytes, shape.k);
  return sizeBytes;
}

/** Where the block of each stripe begins in the file's pack; the same in every share. */
export function stripeOffsets(file: CodedFile, shape: Shape): number[] {
  let offset = file.offset;
  return file.stripes.map(({ storedSizeBytes }) => {
    const start = offset;
    offset += blockSize(storedSizeBytes, shape.k);
    return start;
  });
}

/** SHA-256 of the block that `share` has of a stripe. */
export function blockHash({ blockHashes }: Pick<Stripe, "blockHashes">, share: number): Uint8Array {
  return blockHashes.subarray(share * HASH_SIZE_BYTES, (share + 1) * HASH_SIZE_BYTES);
}

/** What the next file of the page is coded against. */
interface Last {
  readonly set: SetId | undefined;
  readonly number: number;
  readonly pack: number;
  /** The end of the last file's blocks. */
  readonly offset: number;
}

const FIRST: Last = { set: undefined, number: 0, pack: 0, offset: 0 };
const VERSION = 1;
const HASH_SIZE_BYTES = 32;

const ROLES: readonly FileRole[] = ["volume", "manifest", "signatures"];
const WRAPPINGS: readonly Wrapping[] = ["plain", "gzip", "gpg"];

/** Flags: role, wrapping << 2, naming << 4, and these: the blocks lie right behind the last file's; stripes are smaller. */
const ADJACENT = 1 << 6;
const SMALLER = 1 << 7;

function encodeFile(writer: BinaryWriter, file: CodedFile, shape: Shape, last: Last): Last {
  const { name, role, number, wrapping, sizeBytes, stripeSizeBytes, hash, pack, offset } = file;
  assert(hash.length === HASH_SIZE_BYTES, `${name}: a hash of ${hash.length} bytes`);
  const set = setInName(name, file);
  const naming = chooseNaming(set, last.set);
  const isAdjacent = pack === last.pack && offset === last.offset;
  const nameFlags = (WRAPPINGS.indexOf(wrapping) << 2) | (NAMINGS.indexOf(naming) << 4);
  const isSmaller = stripeSizeBytes < STRIPE_SIZE_BYTES;
  const placeFlags = (isAdjacent ? ADJACENT : 0) | (isSmaller ? SMALLER : 0);
  writer.u8(ROLES.indexOf(role) | nameFlags | placeFlags);
  if (role === "volume") writer.signedVarint(number - last.number - 1);
  encodeName(writer, naming, name, set);
  writer.varint(sizeBytes);
  if (isSmaller) writer.u8(Math.log2(stripeSizeBytes));
  writer.bytes(hash);
  if (!isAdjacent) {
    writer.varint(pack);
    writer.varint(offset);
  }
  encodeStripes(writer, file, shape);
  return lastOf(file, shape, set ?? last.set);
}

function decodeFile(
  reader: BinaryReader,
  shape: Shape,
  last: Last,
): { readonly file: CodedFile; readonly next: Last } {
  const flags = reader.u8();
  const role = ROLES[flags & 3];
  const wrapping = WRAPPINGS[(flags >> 2) & 3];
  const naming = NAMINGS[(flags >> 4) & 3];
  if (role === undefined || wrapping === undefined || naming === undefined) {
    reader.refuse(`has a file with unknown flags (${flags})`);
  }
  const number = role === "volume" ? decodeNumber(reader, last) : 0;
  const named = { role, number, wrapping };
  const { name, set } = decodeName(reader, naming, named, last.set);
  const sizeBytes = reader.varint();
  const stripeSizeBytes = (flags & SMALLER) === 0 ? STRIPE_SIZE_BYTES : decodeStripeSize(reader);
  const hash = reader.bytes(HASH_SIZE_BYTES);
  const isAdjacent = (flags & ADJACENT) !== 0;
  const pack = isAdjacent ? last.pack : reader.varint();
  const offset = isAdjacent ? last.offset : reader.varint();
  const stripes = decodeStripes(reader, { sizeBytes, stripeSizeBytes }, shape);
  const file = { name, ...named, sizeBytes, stripeSizeBytes, hash, pack, offset, stripes };
  const next = lastOf(file, shape, set);
  if (!Number.isSafeInteger(next.offset)) reader.refuse("has an offset above 2^53 - 1");
  return { file, next };
}

function decodeStripeSize(reader: BinaryReader): number {
  const size = 2 ** reader.u8();
  if (size < STRIPE_MIN_BYTES || size >= STRIPE_SIZE_BYTES)
    reader.refuse(`has stripes of ${size} bytes`);
  return size;
}

function decodeNumber(reader: BinaryReader, last: Last): number {
  const number = last.number + 1 + reader.signedVarint();
  if (number < 1 || !Number.isSafeInteger(number)) reader.refuse(`has a volume ${number}`);
  return number;
}

function lastOf(file: CodedFile, shape: Shape, set: SetId | undefined): Last {
  const { role, number, pack, offset } = file;
  return {
    set,
    number: role === "volume" ? number : 0,
    pack,
    offset: offset + blocksSize(file, shape),
  };
}

/** A stripe is its stored size, 0 for one that is stored as it is, and its block hashes. */
function encodeStripes(writer: BinaryWriter, file: CodedFile, { n }: Shape): void {
  const { name, stripes } = file;
  assert(stripes.length === stripeCount(file), `${name}: ${stripes.length} stripes`);
  for (const [at, { compression, storedSizeBytes, blockHashes }] of stripes.entries()) {
    const rawSizeBytes = stripeSize(file, at);
    const isNone = compression === "none";
    assert(isNone ? storedSizeBytes === rawSizeBytes : storedSizeBytes < rawSizeBytes, name);
    assert(blockHashes.length === n * HASH_SIZE_BYTES, `${name}: not ${n} block hashes`);
    writer.varint(isNone ? 0 : storedSizeBytes);
    writer.bytes(blockHashes);
  }
}

function decodeStripes(reader: BinaryReader, file: Striped, { n }: Shape): Stripe[] {
  const count = stripeCount(file);
  const hashesSizeBytes = n * HASH_SIZE_BYTES;
  if (count * hashesSizeBytes > reader.remaining) reader.refuse("ends within a file's stripes");
  const stripes: Stripe[] = [];
  for (let at = 0; at < count; at++) {
    const rawSizeBytes = stripeSize(file, at);
    const size = reader.varint();
    if (size >= rawSizeBytes) reader.refuse(`has a stripe stored in ${size} bytes`);
    stripes.push({
      compression: size === 0 ? "none" : "brotli",
      storedSizeBytes: size === 0 ? rawSizeBytes : size,
      blockHashes: reader.bytes(hashesSizeBytes),
    });
  }
  return stripes;
}
