/** Where a set's blocks end in the packs: read from the last page of its file tables, so nothing else need remember it. */
import path from "node:path";
import { readRange } from "../disk/files.js";
import { formatSetName } from "../duplicity/names.js";
import { MirrorError } from "../errors.js";
import { blocksSize, decodeFileTable } from "../manifest/file-table.js";
import type { LedgerLine } from "../manifest/ledger.js";
import { type Stream, tablePath } from "../manifest/paths.js";
import { hashPage, unpackPage } from "../manifest/table.js";

/** The first byte that is free: in this pack, at this offset. */
export interface PackEnd {
  readonly pack: number;
  readonly offset: number;
}

export type PackEnds = Readonly<Record<Stream, PackEnd>>;

const FIRST_PACK: PackEnd = { pack: 0, offset: 0 };

/** Where a chain's packs begin. */
export const FIRST_PACKS: PackEnds = { volumes: FIRST_PACK, records: FIRST_PACK };

/** Where the packs of a chain end after the set of `line`. */
export async function readEnds(
  place: { readonly publication: string; readonly session: string },
  line: LedgerLine,
  options: { readonly signal: AbortSignal },
): Promise<PackEnds> {
  return {
    volumes: await readStreamEnd({ ...place, stream: "volumes" }, line, options),
    records: await readStreamEnd({ ...place, stream: "records" }, line, options),
  };
}

/** Where the blocks of `line`'s files of `stream` end. */
async function readStreamEnd(
  place: { readonly publication: string; readonly session: string; readonly stream: Stream },
  line: LedgerLine,
  { signal }: { readonly signal: AbortSignal },
): Promise<PackEnd> {
  const page = await readLastPage(place, line, signal);
  const last = decodeFileTable(await unpackPage(page), line.shape).at(-1);
  if (last === undefined) {
    throw new MirrorError(
      "DOCUMENT_INVALID",
      `table of the ${place.stream} of ${formatSetName(line.set)}: expected files, got none`,
    );
  }
  return { pack: last.pack, offset: last.offset + blocksSize(last, line.shape) };
}

async function readLastPage(
  place: { readonly publication: string; readonly session: string; readonly stream: Stream },
  line: LedgerLine,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const table = line[place.stream];
  if (table.kind === "inline") return table.bytes;
  const file = path.join(place.publication, tablePath(place.stream, place.session, line.set));
  const last = table.pages.at(-1);
  const offset = table.pages.slice(0, -1).reduce((sum, page) => sum + page.sizeBytes, 0);
  const bytes = await readRange(file, offset, last?.sizeBytes ?? 0, { signal });
  if (last === undefined || hashPage(bytes) !== last.hash) {
    throw new MirrorError("DOCUMENT_INVALID", `${file}: the page at ${offset} has another hash`);
  }
  return bytes;
}
