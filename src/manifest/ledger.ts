import { isUtf8 } from "node:buffer";
import { sha256, toBase64url } from "../bytes/digest.js";
import { formatSetName, parseSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { isShape } from "../erasure/codec.js";
import type { Shape } from "../erasure/shape.js";
import { MirrorError } from "../errors.js";
import {
  INLINE_TABLE_MAX_BYTES,
  LEDGER_LINE_MAX_BYTES,
  LEDGER_MAX_BYTES,
  PAGE_STORED_MAX_BYTES,
} from "../limits.js";

/** One published set (docs/formats.md, "ledger"). */
export interface LedgerLine {
  /** SHA-256 of the line before it, with its LF; of the empty string for a ledger's first line. Base64url. */
  readonly previous: string;
  readonly set: SetId;
  /** SHA-256 of duplicity's manifest as it lies in the repository: which of two sets with equal times. */
  readonly manifestHash: string;
  readonly shape: Shape;
  /** Entries in the set's contents; 0 without contents. */
  readonly entryCount: number;
  readonly volumes: Table;
  readonly records: Table;
  /** Absent when the set is encrypted: only who can decrypt it knows its entries. */
  readonly contents: Table | undefined;
  /** Its backup had errors: only with the sets after it is it as its tree was. */
  readonly isWithheld?: true;
}

/** A list in pages, each compressed and hashed by itself: one page in the ledger line, or any number in a file of their own. */
export type Table =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "paged"; readonly pages: readonly PageReference[] };

/** A page lies in its table's file after the pages before it. */
export interface PageReference {
  readonly sizeBytes: number;
  /** SHA-256 of the page as it lies in the file, base64url. */
  readonly hash: string;
  /** What the page begins with: a latin1 path (contents) or a volume's number in decimal (file tables). */
  readonly first: string;
}

/** What the first line of a ledger says of the line before it. */
export const FIRST_LINE_PREVIOUS = toBase64url(sha256(new Uint8Array(0)));

/** The line with its LF. */
export function formatLedgerLine(line: LedgerLine): Uint8Array {
  const json = {
    version: VERSION,
    previous: line.previous,
    set: formatSetName(line.set),
    manifest: line.manifestHash,
    k: line.shape.k,
    n: line.shape.n,
    entries: line.entryCount,
    volumes: tableToJson(line.volumes),
    records: tableToJson(line.records),
    contents: line.contents === undefined ? null : tableToJson(line.contents),
    ...(line.isWithheld === true ? { withheld: true } : {}),
  };
  return Buffer.from(`${JSON.stringify(json)}\n`);
}

/** Reads exactly what `formatLedgerLine` writes, its LF included. @throws MirrorError LEDGER_INVALID */
export function parseLedgerLine(bytes: Uint8Array): LedgerLine {
  if (bytes.length > LEDGER_LINE_MAX_BYTES) refuse(`a line has ${bytes.length} bytes`);
  if (!isUtf8(bytes)) refuse("a line is no text");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  const json = parseJson(text);
  if (!isRecord(json)) return refuse("a line is no object");
  const line = lineFromJson(json);
  const fields = line.isWithheld === true ? `${FIELDS},withheld` : FIELDS;
  const isOnlyForm = Object.keys(json).join() === fields && `${JSON.stringify(json)}\n` === text;
  if (!isOnlyForm) refuse("a line is not in its only valid form");
  return line;
}

/** Of a line with its LF. */
export function hashLine(bytes: Uint8Array): string {
  return toBase64url(sha256(bytes));
}

/**
 * The lines in `bytes`, which must follow the line with hash `previous` and end in the line with hash `last`.
 * @throws MirrorError LEDGER_INVALID
 */
export function joinLedger(options: {
  readonly bytes: Uint8Array;
  readonly previous: string;
  readonly last: string;
}): LedgerLine[] {
  const { bytes } = options;
  if (bytes.length > LEDGER_MAX_BYTES) refuse(`the ledger has ${bytes.length} bytes`);
  const lines: LedgerLine[] = [];
  let previous = options.previous;
  for (const lineBytes of splitLines(bytes)) {
    const line = parseLedgerLine(lineBytes);
    if (line.previous !== previous)
      refuse(`${formatSetName(line.set)} does not follow the line before it`);
    previous = hashLine(lineBytes);
    lines.push(line);
  }
  if (previous !== options.last) refuse("it does not end in the line that the head names");
  return lines;
}

const VERSION = 1;
const FIELDS = "version,previous,set,manifest,k,n,entries,volumes,records,contents";
const LINE_FEED = 0x0a;

type TableJson = string | readonly (readonly [sizeBytes: number, hash: string, first: string])[];

/** Checked by hand: a replica reads hundreds of lines at once, and zod took longer than everything else. */
function lineFromJson(json: Readonly<Record<string, unknown>>): LedgerLine {
  const { version, previous, set, manifest, k, n, entries, volumes, records, contents } = json;
  if (json["withheld"] !== undefined && json["withheld"] !== true)
    refuse("withheld: expected true");
  if (version !== VERSION) refuse(`version: expected ${VERSION}, got ${String(version)}`);
  const line: LedgerLine = {
    previous: toHash("previous", previous),
    set: toSet(set),
    manifestHash: toHash("manifest", manifest),
    shape: { k: toCount("k", k), n: toCount("n", n) },
    entryCount: toCount("entries", entries),
    volumes: toTable("volumes", volumes),
    records: toTable("records", records),
    contents: contents === null ? undefined : toTable("contents", contents),
    ...(json["withheld"] === true ? { isWithheld: true } : {}),
  };
  if (line.contents === undefined && line.entryCount > 0) refuse("it has entries, but no contents");
  if (!isShape(line.shape)) refuse(`no code has k = ${line.shape.k}, n = ${line.shape.n}`);
  return line;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toHash(field: string, value: unknown): string {
  const isHash = typeof value === "string" && /^[A-Za-z0-9_-]{43}$/.test(value);
  return isHash ? value : refuse(`${field}: expected 43 characters of base64url`);
}

function toCount(field: string, value: unknown): number {
  const isCount = typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
  return isCount ? value : refuse(`${field}: expected a whole number`);
}

function toSet(value: unknown): SetId {
  const set = typeof value === "string" ? parseSetName(value) : undefined;
  return set ?? refuse("set: expected a name such as full.20231114T221320Z");
}

function toTable(field: string, value: unknown): Table {
  if (typeof value === "string") return { kind: "inline", bytes: toPage(field, value) };
  if (!Array.isArray(value)) return refuse(`${field}: expected a page or a list of pages`);
  return { kind: "paged", pages: value.map((page) => toPageReference(field, page)) };
}

function toPage(field: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) refuse(`${field}: not base64url in its only form`);
  if (bytes.length > INLINE_TABLE_MAX_BYTES) refuse(`${field}: a page of ${bytes.length} bytes`);
  return bytes;
}

function toPageReference(field: string, value: unknown): PageReference {
  const parts: readonly unknown[] = Array.isArray(value) && value.length === 3 ? value : [];
  const [size, hash, first] = parts;
  const sizeBytes = toCount(`${field}: size of a page`, size);
  if (sizeBytes === 0 || sizeBytes > PAGE_STORED_MAX_BYTES || typeof first !== "string") {
    return refuse(`${field}: expected pages as [size, hash, first]`);
  }
  return { sizeBytes, hash: toHash(`${field}: hash of a page`, hash), first };
}

function tableToJson(table: Table): TableJson {
  if (table.kind === "inline") return toBase64url(table.bytes);
  return table.pages.map(({ sizeBytes, hash, first }) => [sizeBytes, hash, first]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MirrorError("LEDGER_INVALID", "the ledger is refused: a line is no JSON", { cause });
  }
}

function* splitLines(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(LINE_FEED, start);
    if (end < 0) refuse("its last line was cut");
    yield bytes.subarray(start, end + 1);
    start = end + 1;
  }
}

function refuse(why: string): never {
  throw new MirrorError("LEDGER_INVALID", `the ledger is refused: ${why}`);
}
