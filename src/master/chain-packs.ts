import type { Shape } from "../erasure/shape.js";
import type { Stream } from "../manifest/paths.js";
import { PackWriter } from "./pack-writer.js";
import type { LedgerChain } from "./publication.js";
import { FIRST_PACKS, type PackEnds, readEnds } from "./stream-end.js";
import type { UnsyncedFiles } from "./unsynced-files.js";

/** Opens the packs of a chain where the last set of its ledger ended. */
export async function openChainPacks(
  place: { readonly publication: string; readonly session: string; readonly chain: number },
  options: {
    readonly known: LedgerChain | undefined;
    readonly shape: Shape;
    readonly unsynced: UnsyncedFiles;
    readonly signal: AbortSignal;
  },
): Promise<Readonly<Record<Stream, PackWriter>>> {
  const { shape, unsynced } = options;
  const start = await nextEnds(place, options);
  const open = (stream: Stream): PackWriter =>
    new PackWriter({ ...place, stream }, { shareCount: shape.n, start: start[stream], unsynced });
  return { volumes: open("volumes"), records: open("records") };
}

/** Sets of another shape begin packs of their own: a pack has the same offsets in every share of its shape. */
async function nextEnds(
  place: { readonly publication: string; readonly session: string },
  options: {
    readonly known: LedgerChain | undefined;
    readonly shape: Shape;
    readonly signal: AbortSignal;
  },
): Promise<PackEnds> {
  const last = options.known?.lines.at(-1);
  if (last === undefined) return FIRST_PACKS;
  const ends = await readEnds(place, last, options);
  if (last.shape.k === options.shape.k && last.shape.n === options.shape.n) return ends;
  return {
    volumes: { pack: ends.volumes.pack + 1, offset: 0 },
    records: { pack: ends.records.pack + 1, offset: 0 },
  };
}
