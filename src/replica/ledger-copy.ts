/**
 * The replica's copy of a chain's ledger: as much as it has checked. It grows by exactly the lines that
 * a newer head adds, read with one range request.
 */
import { replaceFile, syncFile, truncateFile, writeAt } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import type { LedgerReference } from "../manifest/head.js";
import { FIRST_LINE_PREVIOUS, hashLine, joinLedger, type LedgerLine } from "../manifest/ledger.js";
import { ledgerPath } from "../manifest/paths.js";
import { readDocument } from "../retrieve/document.js";
import type { SourcePool } from "../retrieve/source-pool.js";

export interface LedgerOptions {
  /** The copy; made when it is not there. */
  readonly file: string;
  readonly session: string;
  readonly reference: LedgerReference;
  readonly pool: SourcePool;
  readonly signal: AbortSignal;
}

/**
 * All lines that the head names. @throws MirrorError NO_SOURCE; LEDGER_INVALID when what the sources have
 * does not continue the copy, or does not end in the line that the head names
 */
export async function readLedger(options: LedgerOptions): Promise<LedgerLine[]> {
  const { file, reference } = options;
  const known = wholeLines(readFileIfPresent(file) ?? new Uint8Array(0));
  const previous = lastLineHash(known);
  if (known.length > reference.sizeBytes) throw contradicts(file);
  const lines = known.length === 0 ? [] : checkCopy(known, previous, file);
  if (known.length === reference.sizeBytes) {
    if (previous !== reference.lastLineHash) throw contradicts(file);
    return lines;
  }
  const added = await fetchLines(options, known.length, previous);
  append(file, known, added.bytes);
  return [...lines, ...added.lines];
}

async function fetchLines(
  { session, reference, pool, signal }: LedgerOptions,
  offset: number,
  previous: string,
): Promise<{ bytes: Uint8Array; lines: LedgerLine[] }> {
  return await readDocument(pool, {
    path: ledgerPath(session, reference.chain),
    range: { offset, sizeBytes: reference.sizeBytes - offset },
    check: (bytes) => ({
      bytes,
      lines: joinLedger({ bytes, previous, last: reference.lastLineHash }),
    }),
    signal,
  });
}

/** What a power cut may have left of an append is cut off: part of a line, or zeros where bytes did not reach the disk. */
function wholeLines(bytes: Uint8Array): Uint8Array {
  const hole = bytes.indexOf(0);
  const written = hole === -1 ? bytes : bytes.subarray(0, hole);
  return written.subarray(0, written.lastIndexOf(LINE_FEED) + 1);
}

function lastLineHash(bytes: Uint8Array): string {
  if (bytes.length === 0) return FIRST_LINE_PREVIOUS;
  return hashLine(bytes.subarray(bytes.lastIndexOf(LINE_FEED, bytes.length - 2) + 1));
}

function checkCopy(bytes: Uint8Array, last: string, file: string): LedgerLine[] {
  try {
    return joinLedger({ bytes, previous: FIRST_LINE_PREVIOUS, last });
  } catch (cause) {
    throw new MirrorError("DISK_FAILED", `${file}: damaged; remove it to read it again`, { cause });
  }
}

function append(file: string, known: Uint8Array, added: Uint8Array): void {
  if (known.length === 0) {
    replaceFile(file, added);
    return;
  }
  truncateFile(file, known.length);
  writeAt(file, known.length, added);
  syncFile(file);
}

const LINE_FEED = 0x0a;

function contradicts(file: string): MirrorError {
  return new MirrorError(
    "LEDGER_INVALID",
    `the head contradicts the ledger read before (${file}): its history was changed. ` +
      "Ask the mirror's admin; if the change is meant, remove that file",
  );
}
