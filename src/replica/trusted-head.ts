/** What this replica has accepted so far; stored durably before it is used. */
import { z } from "zod";
import { replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { formatHead, type Head, parseHead } from "../manifest/head.js";
import type { TrustedHead } from "../manifest/trust.js";

export interface TrustState {
  readonly trusted: TrustedHead | undefined;
  /** Verifier keys that accepted heads announced. */
  readonly keys: readonly string[];
  /** The validator of the trusted head at each source that gave it, by URL. */
  readonly etags: ReadonlyMap<string, string>;
}

export const NOTHING_TRUSTED: TrustState = { trusted: undefined, keys: [], etags: new Map() };

export function readTrustState(file: string): TrustState {
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) return NOTHING_TRUSTED;
  try {
    const stored = storedShape.parse(JSON.parse(new TextDecoder().decode(bytes)));
    const head = parseHead(new TextEncoder().encode(stored.head));
    return {
      trusted: { head, retiredSessions: stored.retiredSessions },
      keys: stored.keys,
      etags: new Map(Object.entries(stored.etags)),
    };
  } catch (cause) {
    throw new MirrorError(
      "DISK_FAILED",
      `${file}: not a stored head; remove it to trust the next head that is signed by the key file`,
      { cause },
    );
  }
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
  replaceFile(file, new TextEncoder().encode(`${JSON.stringify(stored)}\n`));
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
