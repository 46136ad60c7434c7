import * as z from "zod";
import { quoted, shown } from "../bytes/quoted.js";
import { formatSetName, parseSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { TIME_MAX } from "../duplicity/time.js";
import { MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES, LEDGER_MAX_BYTES, MAX_K, MAX_M } from "../limits.js";
import { parseVerifierKey } from "./keys.js";

/** The signed pointer to everything else (docs/formats.md, "head"). */
export interface Head {
  readonly mirror: string;
  readonly session: string;
  readonly generation: number;
  /** Milliseconds since the epoch; RFC 3339 in the document. */
  readonly publishedAt: number;
  readonly expiresAt: number;
  readonly newest: { readonly chain: number; readonly set: SetId };
  readonly ledgers: readonly LedgerReference[];
  readonly sources: readonly SourceReference[];
  /** Verifier key that will sign from some later head on (docs/formats.md, "keys"). */
  readonly nextKey?: string;
}

/** A retained chain's ledger: the first `sizeBytes` of it are published, and end in a line with this hash. */
export interface LedgerReference {
  /** The chain's name: the time of its full set, Unix seconds. */
  readonly chain: number;
  readonly sizeBytes: number;
  /** SHA-256 of the last line with its LF, base64url. */
  readonly lastLineHash: string;
}

/** What the head publishes of a chain; nothing when it does not retain it. */
export function findLedger({ ledgers }: Head, chain: number): LedgerReference | undefined {
  return ledgers.find((ledger) => ledger.chain === chain);
}

/** Whether the sets of a chain of a session can still be had. */
export function retainsChain(
  head: Head,
  { session, chain }: { readonly session: string; readonly chain: number },
): boolean {
  return head.session === session && findLedger(head, chain) !== undefined;
}

export interface SourceReference {
  readonly name: string;
  readonly url: string;
  readonly shares: readonly number[];
}

/** The text that is signed: JSON, a line for each field and each element of a list. */
export function formatHead(head: Head): Uint8Array {
  const { mirror, session, generation, newest, nextKey } = head;
  const fields: readonly (readonly [string, unknown])[] = [
    ["version", VERSION],
    ["mirror", mirror],
    ["session", session],
    ["generation", generation],
    ["publishedAt", new Date(head.publishedAt).toISOString()],
    ["expiresAt", new Date(head.expiresAt).toISOString()],
    ["newest", { chain: newest.chain, set: formatSetName(newest.set) }],
    ["ledgers", head.ledgers.map(ledgerToJson)],
    ["sources", head.sources],
    ...(nextKey === undefined ? [] : [["nextKey", nextKey] as const]),
  ];
  const lines = fields.map(([name, value]) => `  ${JSON.stringify(name)}: ${formatValue(value)}`);
  return Buffer.from(`{\n${lines.join(",\n")}\n}\n`);
}

/** Reads the text of an opened note. @throws MirrorError HEAD_INVALID */
export function parseHead(bytes: Uint8Array): Head {
  if (bytes.length > HEAD_MAX_BYTES) refuse(`${bytes.length} bytes, ${HEAD_MAX_BYTES} at most`);
  const parsed = HEAD.safeParse(parseJson(bytes));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse(shown(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "unexpected"}`));
  }
  const { mirror, session, generation, newest, sources, nextKey } = parsed.data;
  const head: Head = {
    mirror,
    session,
    generation,
    publishedAt: parseTimestamp(parsed.data.publishedAt),
    expiresAt: parseTimestamp(parsed.data.expiresAt),
    newest: { chain: newest.chain, set: parseSet(newest.set) },
    ledgers: parsed.data.ledgers.map(ledgerFromJson),
    sources,
    ...(nextKey === undefined ? {} : { nextKey }),
  };
  checkHead(head);
  return head;
}

const VERSION = 1;

/** More of anything does not fit into HEAD_MAX_BYTES anyway. */
const LIST_MAX_COUNT = 100;
const TEXT_MAX_LENGTH = 1000;

const TEXT = z.string().min(1).max(TEXT_MAX_LENGTH);
/** A chain's name is a time. */
const CHAIN = z.int().nonnegative().max(TIME_MAX);
const HASH = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

const LEDGER = z.strictObject({
  chain: CHAIN,
  size: z.int().positive().max(LEDGER_MAX_BYTES),
  last: HASH,
});

const SOURCE = z.strictObject({
  name: TEXT,
  url: TEXT,
  shares: z
    .array(
      z
        .int()
        .min(0)
        .max(MAX_K + MAX_M - 1),
    )
    .max(MAX_K + MAX_M),
});

const HEAD = z.strictObject({
  version: z.literal(VERSION),
  mirror: TEXT,
  session: z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  generation: z.int().positive(),
  publishedAt: TEXT,
  expiresAt: TEXT,
  newest: z.strictObject({ chain: CHAIN, set: TEXT }),
  ledgers: z.array(LEDGER).min(1).max(LIST_MAX_COUNT),
  sources: z.array(SOURCE).max(LIST_MAX_COUNT),
  nextKey: TEXT.optional(),
});

function formatValue(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  return `[\n    ${value.map((element) => JSON.stringify(element)).join(",\n    ")}\n  ]`;
}

function ledgerToJson({ chain, sizeBytes, lastLineHash }: LedgerReference): unknown {
  return { chain, size: sizeBytes, last: lastLineHash };
}

function ledgerFromJson({ chain, size, last }: z.infer<typeof LEDGER>): LedgerReference {
  return { chain, sizeBytes: size, lastLineHash: last };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MirrorError("HEAD_INVALID", "the head is refused: it is no JSON", { cause });
  }
}

/** RFC 3339 in UTC with milliseconds, and nothing else. */
function parseTimestamp(text: string): number {
  const time = Date.parse(text);
  const isExact = !Number.isNaN(time) && new Date(time).toISOString() === text;
  return isExact ? time : refuse(`${quoted(text)} is no time such as 2023-11-14T22:13:20.000Z`);
}

function parseSet(text: string): SetId {
  return parseSetName(text) ?? refuse(`${quoted(text)} is no set`);
}

/** What single fields cannot tell. */
function checkHead({ newest, ledgers, publishedAt, expiresAt, nextKey }: Head): void {
  if (expiresAt <= publishedAt) refuse("it expires before it is published");
  const rises = ledgers.every(({ chain }, at) => chain > (ledgers[at - 1]?.chain ?? -1));
  if (!rises) refuse("its ledgers are not in order of their chains");
  if (!ledgers.some(({ chain }) => chain === newest.chain))
    refuse("it has no ledger of its newest set");
  const isOfChain =
    newest.set.kind === "full" ? newest.set.time === newest.chain : newest.set.time > newest.chain;
  if (!isOfChain) refuse("its newest set is not of the chain it names");
  if (nextKey !== undefined) checkNextKey(nextKey);
}

function checkNextKey(text: string): void {
  try {
    parseVerifierKey(text);
  } catch (cause) {
    throw new MirrorError("HEAD_INVALID", "the head is refused: nextKey is no key", { cause });
  }
}

function refuse(why: string): never {
  throw new MirrorError("HEAD_INVALID", `the head is refused: ${why}`);
}
