/** Where the published documents lie below a publication or a source (docs/formats.md, "publication"). */
import { formatSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { formatTime } from "../duplicity/time.js";

export const HEAD_PATH = "head";

/** The verifier key of whoever signs the head. */
export const KEY_PATH = "key.pub";

/** What a share's packs hold: volumes, or manifests and sigtars. */
export const STREAMS = ["volumes", "records"] as const;
export type Stream = (typeof STREAMS)[number];

/** The tables of a set that have a file of their own when they are not in its ledger line. */
export const TABLES = [...STREAMS, "contents"] as const;

export function ledgerPath(session: string, chain: number): string {
  return `ledger/${session}/${formatTime(chain)}.jsonl`;
}

/** The file that holds the pages of a table that is not in the ledger line. */
export function tablePath(table: (typeof TABLES)[number], session: string, set: SetId): string {
  return `${table}/${session}/${formatSetName(set)}`;
}

export function packPath(place: {
  readonly share: number;
  readonly session: string;
  readonly chain: number;
  readonly stream: Stream;
  readonly pack: number;
}): string {
  const { share, session, chain, stream, pack } = place;
  const letter = stream === "volumes" ? "v" : "r";
  return `shares/${share}/${session}/${formatTime(chain)}/${letter}${pack}`;
}
