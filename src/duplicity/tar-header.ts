/** The 512-byte header block of a tar entry, POSIX and GNU flavour (duplicity-format 3.4). Its byte layout, nothing else. */
import { quoted } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";

export const TAR_BLOCK_BYTES = 512;

/** An entry of a tar stream, with all that its extended headers said. Strings are latin1: bytes. */
export interface TarHeader {
  readonly name: string;
  readonly object: TarObject;
  readonly attributes: TarAttributes;
  /** Bytes of data that follow; 0 for all but files. */
  readonly sizeBytes: number;
}

export type TarObject =
  | { readonly type: "file" }
  | { readonly type: "directory" }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "fifo" }
  | {
      readonly type: "characterDevice" | "blockDevice";
      readonly major: number;
      readonly minor: number;
    };

export interface TarAttributes {
  /** Low twelve bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Whole seconds since the epoch. */
  readonly mtime: number;
}

/** What extended headers put in the place of the block's own fields. */
export interface TarOverrides {
  name?: string;
  target?: string;
  userName?: string;
  groupName?: string;
  uid?: number;
  gid?: number;
  mtime?: number;
  sizeBytes?: number;
}

/** Whether all 512 bytes at `at` are zero: the mark of the end. */
export function isZeroBlock(bytes: Uint8Array, at: number): boolean {
  for (let end = at + TAR_BLOCK_BYTES; at < end; at++) {
    if (bytes[at] !== 0) return false;
  }
  return true;
}

/** The type flag of a header block, after its checksum and magic were found right. */
export function checkTarBlock(block: Buffer, at: number, where: string): number {
  let sum = BLANK_CHECKSUM;
  for (let offset = 0; offset < TAR_BLOCK_BYTES; offset++) sum += block[at + offset] ?? 0;
  for (let offset = CHECKSUM.at; offset < CHECKSUM.end; offset++) sum -= block[at + offset] ?? 0;
  const stated = readNumber(block, at, CHECKSUM, where);
  if (sum !== stated) refuse(where, `header checksum is ${sum}, and ${stated} is stated`);
  if (block.readUInt32BE(at + MAGIC_AT) !== USTAR || block[at + MAGIC_AT + 4] !== LETTER_R) {
    refuse(where, "header has no ustar magic");
  }
  return block[at + TYPE_AT] ?? 0;
}

/** The size field of a header block: of an extended header's own data too. */
export function readTarSize(block: Buffer, at: number, where: string): number {
  return readNumber(block, at, SIZE, where);
}

/** Reads a header block that `checkTarBlock` found good. @throws MirrorError FORMAT_INVALID */
export function decodeTarHeader(
  block: Buffer,
  at: number,
  overrides: TarOverrides,
  where: string,
): TarHeader {
  const object = decodeObject(block, at, overrides, where);
  const sizeBytes = overrides.sizeBytes ?? readNumber(block, at, SIZE, where);
  if (sizeBytes !== 0 && object.type !== "file")
    refuse(where, `a ${object.type} has ${sizeBytes} bytes of data`);
  return {
    name: overrides.name ?? readName(block, at),
    object,
    attributes: {
      mode: readNumber(block, at, MODE, where) & 0o7777,
      uid: overrides.uid ?? readNumber(block, at, UID, where),
      gid: overrides.gid ?? readNumber(block, at, GID, where),
      userName: overrides.userName ?? readText(block, at, USER_NAME),
      groupName: overrides.groupName ?? readText(block, at, GROUP_NAME),
      mtime: overrides.mtime ?? readNumber(block, at, MTIME, where),
    },
    sizeBytes,
  };
}

interface Field {
  readonly at: number;
  readonly end: number;
}

const NAME: Field = { at: 0, end: 100 };
const MODE: Field = { at: 100, end: 108 };
const UID: Field = { at: 108, end: 116 };
const GID: Field = { at: 116, end: 124 };
const SIZE: Field = { at: 124, end: 136 };
const MTIME: Field = { at: 136, end: 148 };
const CHECKSUM: Field = { at: 148, end: 156 };
const TYPE_AT = 156;
const LINK_NAME: Field = { at: 157, end: 257 };
const MAGIC_AT = 257;
const USER_NAME: Field = { at: 265, end: 297 };
const GROUP_NAME: Field = { at: 297, end: 329 };
const MAJOR: Field = { at: 329, end: 337 };
const MINOR: Field = { at: 337, end: 345 };
const PREFIX: Field = { at: 345, end: 500 };

/** The checksum counts its own field as eight spaces. */
const BLANK_CHECKSUM = 8 * 0x20;
/** "usta", and its "r". The byte after it is NUL in POSIX headers, a space in GNU's. */
const USTAR = 0x75737461;
const LETTER_R = 0x72;

const FILE: TarObject = { type: "file" };
const DIRECTORY: TarObject = { type: "directory" };
const FIFO: TarObject = { type: "fifo" };

function decodeObject(
  block: Buffer,
  at: number,
  overrides: TarOverrides,
  where: string,
): TarObject {
  const flag = String.fromCharCode(block[at + TYPE_AT] ?? 0);
  switch (flag) {
    case "0":
    case "\0":
      return FILE;
    case "2":
      return { type: "symlink", target: overrides.target ?? readText(block, at, LINK_NAME) };
    case "3":
    case "4":
      return {
        type: flag === "3" ? "characterDevice" : "blockDevice",
        major: readNumber(block, at, MAJOR, where),
        minor: readNumber(block, at, MINOR, where),
      };
    case "5":
      return DIRECTORY;
    case "6":
      return FIFO;
    default:
      return refuse(where, `entry is of type ${quoted(flag)}, which duplicity does not write`);
  }
}

/** The name, with the prefix that POSIX headers may have; GNU's keep other things in its place. */
function readName(block: Buffer, at: number): string {
  const name = readText(block, at, NAME);
  const isPosix = block[at + MAGIC_AT + 5] === 0;
  if (!isPosix || block[at + PREFIX.at] === 0) return name;
  return `${readText(block, at, PREFIX)}/${name}`;
}

function readText(block: Buffer, at: number, field: Field): string {
  const start = at + field.at;
  let end = start;
  while (end < at + field.end && block[end] !== 0) end++;
  return end === start ? "" : block.toString("latin1", start, end);
}

/** Octal digits between spaces and a NUL, or GNU's base-256; an empty field is 0. */
function readNumber(block: Buffer, at: number, field: Field, where: string): number {
  let position = at + field.at;
  const end = at + field.end;
  if (((block[position] ?? 0) & 0x80) !== 0) return readBase256(block, position, end, where);
  while (position < end && block[position] === SPACE) position++;
  let value = 0;
  for (; position < end; position++) {
    const byte = block[position] ?? 0;
    if (byte === 0 || byte === SPACE) break;
    if (byte < 0x30 || byte > 0x37) refuse(where, "header has a number that is not octal");
    value = value * 8 + byte - 0x30;
  }
  return value;
}

const SPACE = 0x20;

function readBase256(block: Buffer, start: number, end: number, where: string): number {
  let value = (block[start] ?? 0) & 0x7f;
  for (let at = start + 1; at < end; at++) value = value * 256 + (block[at] ?? 0);
  if (value > Number.MAX_SAFE_INTEGER)
    refuse(where, "header has a number that is negative or above 2^53");
  return value;
}

function refuse(where: string, why: string): never {
  throw new MirrorError("FORMAT_INVALID", `${where}: ${why}`);
}
