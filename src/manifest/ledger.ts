import * as z from "zod";
import { equalBytes, sha256, toBase64url } from "../bytes/digest.js";
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
  /** Entries in the set's contents. */
  readonly entryCount: number;
  readonly volumes: Table;
  readonly records: Table;
  readonly contents: Table;
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
    contents: tableToJson(line.contents),
  };
  return Buffer.from(`${JSON.stringify(json)}\n`);
}

/** Reads exactly what `formatLedgerLine` writes, its LF included. @throws MirrorError LEDGER_INVALID */
export function parseLedgerLine(bytes: Uint8Array): LedgerLine {
  if (bytes.length > LEDGER_LINE_MAX_BYTES) refuse(`it has ${bytes.length} bytes`);
  const parsed = LINE.safeParse(parseJson(bytes));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "unexpected"}`);
  }
  const { previous, set, manifest, k, n, entries } = parsed.data;
  const line: LedgerLine = {
    previous,
    set: parseSetName(set) ?? refuse(`${JSON.stringify(set)} is no set`),
    manifestHash: manifest,
    shape: { k, n },
    entryCount: entries,
    volumes: tableFromJson(parsed.data.volumes),
    records: tableFromJson(parsed.data.records),
    contents: tableFromJson(parsed.data.contents),
  };
  if (!isShape(line.shape)) refuse(`no code has k = ${k}, n = ${n}`);
  if (!equalBytes(formatLedgerLine(line), bytes)) refuse("it is not in its only valid form");
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
const LINE_FEED = 0x0a;
const PAGE_MAX_COUNT = 1_000_000;

const HASH = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const PAGE = z.tuple([z.int().positive().max(PAGE_STORED_MAX_BYTES), HASH, z.string()]);
const TABLE = z.union([
  z.string().max(Math.ceil((INLINE_TABLE_MAX_BYTES * 4) / 3)),
  z.array(PAGE).max(PAGE_MAX_COUNT),
]);
type TableJson = z.infer<typeof TABLE>;

const LINE = z.strictObject({
  version: z.literal(VERSION),
  previous: HASH,
  set: z.string(),
  manifest: HASH,
  k: z.int(),
  n: z.int(),
  entries: z.int().nonnegative(),
  volumes: TABLE,
  records: TABLE,
  contents: TABLE,
});

function tableToJson(table: Table): TableJson {
  if (table.kind === "inline") return toBase64url(table.bytes);
  return table.pages.map(({ sizeBytes, hash, first }) => [sizeBytes, hash, first]);
}

function tableFromJson(json: TableJson): Table {
  // What this passes over in malformed text, the comparison with the only valid form does not.
  if (typeof json === "string") return { kind: "inline", bytes: Buffer.from(json, "base64url") };
  const pages = json.map(([sizeBytes, hash, first]) => ({ sizeBytes, hash, first }));
  return { kind: "paged", pages };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MirrorError("LEDGER_INVALID", "a ledger line is refused: it is no JSON", { cause });
  }
}

function* splitLines(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(LINE_FEED, start);
    if (end < 0) refuse("it was cut");
    yield bytes.subarray(start, end + 1);
    start = end + 1;
  }
}

function refuse(why: string): never {
  throw new MirrorError("LEDGER_INVALID", `the ledger is refused: ${why}`);
}
