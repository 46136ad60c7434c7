/** Extended headers: the records of POSIX (`x`) and the long names of GNU (`L`, `K`) (duplicity-format 3.4). */
import { quoted } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";
import type { TarOverrides } from "./tar-header.js";

/** Reads the body of an `x` header into `overrides`. @throws MirrorError FORMAT_INVALID */
export function decodePaxRecords(body: Buffer, overrides: TarOverrides, where: string): void {
  let at = 0;
  while (at < body.length) {
    const record = decodeRecord(body, at, where);
    if (record.value !== "") applyRecord(record, overrides, where);
    at = record.end;
  }
}

/** Reads the body of an `L` or `K` header: text up to a NUL. @throws MirrorError FORMAT_INVALID */
export function decodeLongName(body: Buffer, where: string): string {
  const end = body.indexOf(0);
  if (end < 1) refuse(where, "long name is empty or without its NUL");
  return body.toString("latin1", 0, end);
}

interface PaxRecord {
  readonly key: string;
  readonly value: string;
  /** Where the next record begins. */
  readonly end: number;
}

/** `<length> <key>=<value>\n`, the length counting itself; the value may hold any byte. */
function decodeRecord(body: Buffer, start: number, where: string): PaxRecord {
  let at = start;
  let length = 0;
  for (; at < body.length && at - start <= LENGTH_DIGITS_MAX; at++) {
    const digit = (body[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const end = start + length;
  const equals = body.indexOf(0x3d, at);
  const isWhole = body[at] === 0x20 && end <= body.length && equals > at && equals < end - 1;
  if (!isWhole || body[end - 1] !== 0x0a)
    refuse(where, `extended header is malformed at its byte ${start}`);
  return {
    key: body.toString("latin1", at + 1, equals),
    value: body.toString("latin1", equals + 1, end - 1),
    end,
  };
}

const LENGTH_DIGITS_MAX = 8;

/** Text is taken as the bytes that it is: as UTF-8 it is the file system's bytes already. */
function applyRecord({ key, value }: PaxRecord, overrides: TarOverrides, where: string): void {
  switch (key) {
    case "path":
      overrides.name = value;
      break;
    case "linkpath":
      overrides.target = value;
      break;
    case "uname":
      overrides.userName = value;
      break;
    case "gname":
      overrides.groupName = value;
      break;
    case "uid":
    case "gid":
    case "mtime":
      overrides[key] = decimal(key, value, where);
      break;
    case "size":
      overrides.sizeBytes = decimal(key, value, where);
      break;
    case "hdrcharset":
      if (!CHARSETS.includes(value))
        refuse(where, `names are in the unknown charset ${quoted(value)}`);
      break;
    default:
      // POSIX: what is not known is ignored; but a sparse file's data is not its content.
      if (key.startsWith("GNU.sparse."))
        refuse(where, "entry is a sparse file, which duplicity does not write");
  }
}

const CHARSETS = ["BINARY", "ISO-IR 10646 2000 UTF-8"];

function decimal(key: string, value: string, where: string): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number))
    refuse(where, `${key} is ${quoted(value)}, not a whole number below 2^53`);
  return number;
}

function refuse(where: string, why: string): never {
  throw new MirrorError("FORMAT_INVALID", `${where}: ${why}`);
}
