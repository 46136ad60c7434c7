/**
 * The publication folder as this master knows it. The published head says what counts; `prepared` in the state directory
 * says which sets beyond it are whole and durable, so that a killed cycle, or one without enough hosts, loses none of its
 * encoding. Whatever else lies there is written over.
 */
import { randomUUID } from "node:crypto";
import path from "node:path";
import { equalBytes } from "../bytes/digest.js";
import {
  makeFolder,
  replaceFile,
  syncFile,
  syncFolder,
  truncateFile,
  writeAt,
} from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { LEDGER_LINE_MAX_BYTES, LEDGER_MAX_BYTES } from "../limits.js";
import { formatHead, type Head, type LedgerReference, parseHead } from "../manifest/head.js";
import { formatVerifierKey, type SigningKey } from "../manifest/keys.js";
import {
  FIRST_LINE_PREVIOUS,
  formatLedgerLine,
  hashLine,
  joinLedger,
  type LedgerLine,
} from "../manifest/ledger.js";
import { HEAD_PATH, KEY_PATH, ledgerPath } from "../manifest/paths.js";
import { openNote, signNote } from "../manifest/signed-note.js";

/** A chain with all its lines, published or prepared. */
export interface LedgerChain extends LedgerReference {
  readonly lines: readonly LedgerLine[];
}

export interface PublicationOptions {
  readonly folder: string;
  readonly stateDirectory: string;
  readonly mirror: string;
  readonly key: SigningKey;
}

export class Publication {
  readonly folder: string;
  readonly session: string;
  readonly #options: PublicationOptions;
  readonly #chains = new Map<number, LedgerChain>();
  #head: Head | undefined;

  private constructor(options: PublicationOptions, head: Head | undefined, session: string) {
    this.folder = options.folder;
    this.#options = options;
    this.#head = head;
    this.session = session;
  }

  /**
   * Reads what is there, and cuts off what a killed cycle left behind. Without a head a new session begins.
   * @throws MirrorError LEDGER_INVALID, SIGNATURE_INVALID when the publication was damaged
   */
  static open(options: PublicationOptions): Publication {
    const head = readPublishedHead(options);
    const prepared = readPrepared(options, head);
    const session = head?.session ?? prepared?.session ?? randomUUID();
    const publication = new Publication(options, head, session);
    try {
      publication.#load(prepared?.ledgers ?? head?.ledgers ?? []);
    } catch (error) {
      if (prepared === undefined || !isMirrorError(error, "LEDGER_INVALID")) throw error;
      if (head === undefined) return new Publication(options, undefined, randomUUID());
      publication.#load(head.ledgers);
    }
    return publication;
  }

  /** What replicas are told now. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** By the time of their full set. */
  get chains(): readonly LedgerChain[] {
    return [...this.#chains.values()].toSorted((a, b) => a.chain - b.chain);
  }

  /** The text of the key that readers verify the head with. */
  get keyBytes(): Uint8Array {
    return Buffer.from(`${formatVerifierKey(this.#options.key.verifier)}\n`);
  }

  /** The head's bytes as they lie in the publication. */
  get headBytes(): Uint8Array | undefined {
    return readFileIfPresent(path.join(this.folder, HEAD_PATH));
  }

  /** Adds sets, all of whose bytes are durable, to the chain's ledger. */
  append(chain: number, added: readonly Omit<LedgerLine, "previous">[]): void {
    const known = this.#chains.get(chain);
    const start = known?.sizeBytes ?? 0;
    const lines = [...(known?.lines ?? [])];
    const parts: Uint8Array[] = [];
    let previous = known?.lastLineHash ?? FIRST_LINE_PREVIOUS;
    let sizeBytes = start;
    for (const unjoined of added) {
      const line = { ...unjoined, previous };
      const bytes = formatLedgerLine(line);
      checkRoom(bytes.length, sizeBytes);
      previous = hashLine(bytes);
      sizeBytes += bytes.length;
      lines.push(line);
      parts.push(bytes);
    }
    const file = this.#ledgerFile(chain);
    makeFolder(path.dirname(file));
    if (known === undefined) truncateIfPresent(file, 0);
    writeAt(file, start, Buffer.concat(parts));
    syncFile(file);
    syncFolder(path.dirname(file));
    this.#chains.set(chain, { chain, sizeBytes, lastLineHash: previous, lines });
    this.#writePrepared();
  }

  /** Puts `head` in the place of the published one; everything that it names is there and durable. */
  publish(head: Head): void {
    const bytes = signNote(formatHead(head), this.#options.key);
    makeFolder(this.folder);
    this.#writeKey();
    replaceFile(path.join(this.folder, HEAD_PATH), bytes);
    this.#head = head;
    replaceFile(preparedPath(this.#options.stateDirectory), new Uint8Array());
    for (const { chain } of this.chains) {
      if (!head.ledgers.some((ledger) => ledger.chain === chain)) this.#chains.delete(chain);
    }
  }

  #writeKey(): void {
    const file = path.join(this.folder, KEY_PATH);
    const there = readFileIfPresent(file);
    if (there === undefined || !equalBytes(there, this.keyBytes)) replaceFile(file, this.keyBytes);
  }

  #load(ledgers: readonly LedgerReference[]): void {
    this.#chains.clear();
    for (const reference of ledgers) {
      const file = this.#ledgerFile(reference.chain);
      const lines = readLedger(file, reference);
      truncateIfPresent(file, reference.sizeBytes);
      this.#chains.set(reference.chain, { ...reference, lines });
    }
  }

  /** Only what `#load` needs of it counts: the session, the generation and the ledgers. */
  #writePrepared(): void {
    const newest = this.chains.at(-1);
    const set = newest?.lines.at(-1)?.set;
    if (newest === undefined || set === undefined) return;
    const prepared: Head = {
      mirror: this.#options.mirror,
      session: this.session,
      generation: (this.#head?.generation ?? 0) + 1,
      publishedAt: 0,
      expiresAt: 1,
      newest: { chain: newest.chain, set },
      ledgers: this.chains.map(({ chain, sizeBytes, lastLineHash }) => ({
        chain,
        sizeBytes,
        lastLineHash,
      })),
      sources: [],
    };
    replaceFile(preparedPath(this.#options.stateDirectory), formatHead(prepared));
  }

  #ledgerFile(chain: number): string {
    return path.join(this.folder, ledgerPath(this.session, chain));
  }
}

/** The head in `options.folder`, whose signature must be ours. */
export function readPublishedHead(options: {
  readonly folder: string;
  readonly mirror: string;
  readonly key: SigningKey;
}): Head | undefined {
  const file = path.join(options.folder, HEAD_PATH);
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) return undefined;
  const head = openHead(file, bytes, options.key);
  if (head.mirror === options.mirror) return head;
  throw new MirrorError(
    "HEAD_INVALID",
    `${file}: a publication of mirror ${head.mirror}, expected ${options.mirror}: use another folder`,
  );
}

function openHead(file: string, bytes: Uint8Array, key: SigningKey): Head {
  try {
    return parseHead(openNote(bytes, [key.verifier]));
  } catch (cause) {
    if (!isMirrorError(cause)) throw cause;
    throw new MirrorError(
      cause.code,
      `${file}: ${cause.message}: bring it and its key back, or remove it to begin a new session`,
      { cause },
    );
  }
}

/** What was prepared for the head after `head`; anything else is of the past. */
function readPrepared(options: PublicationOptions, head: Head | undefined): Head | undefined {
  const bytes = readFileIfPresent(preparedPath(options.stateDirectory));
  if (bytes === undefined || bytes.length === 0) return undefined;
  const prepared = parsePrepared(bytes);
  if (prepared === undefined) return undefined;
  if (prepared.mirror !== options.mirror) return undefined;
  if (prepared.generation !== (head?.generation ?? 0) + 1) return undefined;
  return head === undefined || head.session === prepared.session ? prepared : undefined;
}

/** A damaged record costs the encoding that it told of, no more. */
function parsePrepared(bytes: Uint8Array): Head | undefined {
  try {
    return parseHead(bytes);
  } catch (error) {
    if (isMirrorError(error, "HEAD_INVALID")) return undefined;
    throw error;
  }
}

function readLedger(file: string, reference: LedgerReference): LedgerLine[] {
  const bytes = readFileIfPresent(file)?.subarray(0, reference.sizeBytes) ?? new Uint8Array();
  try {
    return joinLedger({ bytes, previous: FIRST_LINE_PREVIOUS, last: reference.lastLineHash });
  } catch (cause) {
    if (!isMirrorError(cause)) throw cause;
    throw new MirrorError(
      "LEDGER_INVALID",
      `${file}: ${cause.message}: the publication was damaged; bring the file back, or remove ` +
        "the publication's head to begin a new session",
      { cause },
    );
  }
}

function truncateIfPresent(file: string, sizeBytes: number): void {
  const present = readFileIfPresent(file);
  if (present !== undefined && present.length > sizeBytes) truncateFile(file, sizeBytes);
}

function checkRoom(lineBytes: number, ledgerBytes: number): void {
  if (lineBytes <= LEDGER_LINE_MAX_BYTES && ledgerBytes + lineBytes <= LEDGER_MAX_BYTES) return;
  throw new MirrorError(
    "UNSUPPORTED",
    `a ledger of ${ledgerBytes} bytes and a line of ${lineBytes}: ${LEDGER_MAX_BYTES} and ` +
      `${LEDGER_LINE_MAX_BYTES} at most: make a full backup`,
  );
}

function preparedPath(stateDirectory: string): string {
  return path.join(stateDirectory, "prepared");
}
