/**
 * Names of repository files in file tables. duplicity makes a name from the set, the role, the number and the wrapping;
 * a name that it made in its present way is coded as the set's times, any other as it is.
 */

import type { BinaryReader } from "../bytes/binary-reader.js";
import type { BinaryWriter } from "../bytes/binary-writer.js";
import {
  type FileRole,
  formatSetName,
  parseFileName,
  sameSet,
  type Wrapping,
} from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { TIME_MAX } from "../duplicity/time.js";
import { NAME_MAX_BYTES } from "../limits.js";

/** What a file table says of a file beside its name. */
export interface NamedFile {
  readonly role: FileRole;
  readonly number: number;
  readonly wrapping: Wrapping;
}

/** How a name is coded: two bits. */
export type Naming = "literal" | "full" | "increment" | "sameSet";

export const NAMINGS = ["literal", "full", "increment", "sameSet"] as const;

/** The set that `name` was made from, if duplicity's present way gives just this name. */
export function setInName(name: string, file: NamedFile): SetId | undefined {
  const set = parseFileName(name)?.set;
  if (set === undefined || makeFileName(set, file) !== name) return undefined;
  return set;
}

export function chooseNaming(set: SetId | undefined, lastSet: SetId | undefined): Naming {
  if (set === undefined) return "literal";
  return lastSet !== undefined && sameSet(set, lastSet) ? "sameSet" : set.kind;
}

/** What stands in the table for a name of set `set`; for `sameSet` nothing does. */
export function encodeName(
  writer: BinaryWriter,
  naming: Naming,
  name: string,
  set: SetId | undefined,
): void {
  if (naming === "sameSet") return;
  if (set === undefined) {
    writer.varint(name.length);
    writer.latin1(name);
    return;
  }
  writer.varint(set.time);
  if (set.kind === "increment") writer.varint(set.time - set.from);
}

/** @throws MirrorError DOCUMENT_INVALID */
export function decodeName(
  reader: BinaryReader,
  naming: Naming,
  file: NamedFile,
  lastSet: SetId | undefined,
): { readonly name: string; readonly set: SetId | undefined } {
  if (naming === "literal") return { name: decodeLiteral(reader), set: lastSet };
  const set = naming === "sameSet" ? lastSet : decodeSet(reader, naming);
  if (set === undefined) reader.refuse("has a file of the same set as none");
  return { name: makeFileName(set, file), set };
}

function makeFileName(set: SetId, { role, number, wrapping }: NamedFile): string {
  const suffix = { plain: "", gzip: ".gz", gpg: ".gpg" }[wrapping];
  const setName = formatSetName(set);
  if (role === "volume") return `duplicity-${setName}.vol${number}.difftar${suffix}`;
  if (role === "manifest") return `duplicity-${setName}.manifest${suffix}`;
  const kind = set.kind === "full" ? "full" : "new";
  return `duplicity-${kind}-signatures${setName.slice(setName.indexOf("."))}.sigtar${suffix}`;
}

function decodeSet(reader: BinaryReader, kind: "full" | "increment"): SetId {
  const time = reader.varint();
  if (time > TIME_MAX) reader.refuse(`has a set of a time that does not exist (${time})`);
  if (kind === "full") return { kind, time };
  const age = reader.varint();
  if (age < 1 || age > time) reader.refuse("has an increment that is not later than its base");
  return { kind, from: time - age, time };
}

/** A literal is one plain file name: it may become one on a disk again. */
function decodeLiteral(reader: BinaryReader): string {
  const name = reader.latin1(reader.varint());
  const isSafe = name.length >= 1 && name.length <= NAME_MAX_BYTES && !/[/\0]/.test(name);
  if (!isSafe || name === "." || name === "..")
    reader.refuse("has a file with a name that is none");
  return name;
}
