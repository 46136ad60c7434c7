/** What this replica has accepted so far; stored durably before it is used. */
import { z } from "zod";
import { formatHead, type Head, parseHead } from "../manifest/head.js";
import type { TrustedHead } from "../manifest/trust.js";
import { readRecord, writeRecord } from "./state-record.js";

export interface TrustState {
  readonly trusted: TrustedHead | undefined;
  /** Verifier keys that accepted heads announced. */
  readonly keys: readonly string[];
  /** The validator of the trusted head at each source that gave it, by URL. */
  readonly etags: ReadonlyMap<string, string>;
}

export const NOTHING_TRUSTED: TrustState = { trusted: undefined, keys: [], etags: new Map() };

export function readTrustState(file: string): TrustState {
  const otherwise =
    "not a stored head; remove it to trust the next head that is signed by the key file";
  return readRecord(file, parseTrustState, otherwise) ?? NOTHING_TRUSTED;
}

function parseTrustState(json: unknown): TrustState {
  const { head, retiredSessions, keys, etags } = storedShape.parse(json);
  return {
    trusted: { head: parseHead(new TextEncoder().encode(head)), retiredSessions },
    keys,
    etags: new Map(Object.entries(etags)),
  };
}

export function writeTrustState(file: string, state: TrustState): void {
  if (state.trusted === undefined) return;
  const { head, retiredSessions } = state.trusted;
  const stored: z.input<typeof storedShape> = {
    version: 1,
    head: new TextDecoder().decode(formatHead(head)),
    retiredSessions: [...retiredSessions],
    keys: [...state.keys],
    etags: Object.fromEntries(state.etags),
  };
  writeRecord(file, stored);
}

/** The state after accepting `head`, which `url` gave with `etag`. */
export function acceptHead(
  state: TrustState,
  head: Head,
  given: ReadonlyMap<string, string>,
): TrustState {
  const before = state.trusted;
  const isNewSession = before !== undefined && before.head.session !== head.session;
  const retired = before?.retiredSessions ?? [];
  const keys =
    head.nextKey === undefined ? state.keys : [...new Set([...state.keys, head.nextKey])];
  return {
    trusted: {
      head,
      retiredSessions: isNewSession ? [...retired, before.head.session] : retired,
    },
    keys,
    etags: given,
  };
}

const storedShape = z.strictObject({
  version: z.literal(1),
  head: z.string(),
  retiredSessions: z.array(z.string()),
  keys: z.array(z.string()),
  etags: z.record(z.string(), z.string()),
});
