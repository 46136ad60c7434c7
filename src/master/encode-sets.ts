import { formatSetName } from "../duplicity/names.js";
import type { Shape } from "../erasure/shape.js";
import { isMirrorError, type MirrorError } from "../errors.js";
import type { ContentsEntry } from "../manifest/contents.js";
import type { LedgerLine } from "../manifest/ledger.js";
import type { Runtime } from "../runtime.js";
import { openChainPacks } from "./chain-packs.js";
import type { ChosenSet } from "./choose.js";
import { FileEncoder } from "./encode.js";
import type { Publication } from "./publication.js";
import { encodeSet, type SetPlace } from "./publish-set.js";
import type { SetReport } from "./report.js";
import { openSet, type WholeSet } from "./repository.js";
import type { Suspects } from "./suspects.js";
import { UnsyncedFiles } from "./unsynced-files.js";

export interface EncodedSets {
  readonly sets: readonly SetReport[];
  /** Sets that somebody still writes. */
  readonly waiting: readonly string[];
  /** Why the sets after those could not be published. */
  readonly failure: MirrorError | undefined;
}

export interface EncodeSetsOptions {
  readonly publication: Publication;
  readonly repository: string;
  readonly shape: Shape;
  /** Learns of the files that the sets record. */
  readonly suspects: Suspects;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/**
 * Encodes the chosen sets and adds them to the ledgers, a batch at a time: everything is durable before its line is. A set
 * that is not whole, or not right, holds up those after it in its chain; what was good before it stays.
 */
export async function encodeSets(
  chosen: readonly ChosenSet[],
  options: EncodeSetsOptions,
): Promise<EncodedSets> {
  const reports: SetReport[] = [];
  const waiting: string[] = [];
  let failure: MirrorError | undefined;
  const onVolume = countVolumes(chosen, options.runtime);
  for (const chain of new Set(chosen.map((one) => one.chain))) {
    const sets = chosen.filter((one) => one.chain === chain);
    const writer = await openChain(chain, options, onVolume);
    const { done, waitsFor, error } = await addSets(writer, sets, options);
    await writer.flush();
    reports.push(...done);
    if (waitsFor !== undefined) waiting.push(waitsFor);
    failure ??= error;
  }
  return { sets: reports, waiting, failure };
}

/** As many of a chain's sets as are whole and right. */
async function addSets(
  writer: ChainWriter,
  sets: readonly ChosenSet[],
  { repository, runtime }: EncodeSetsOptions,
): Promise<{ done: SetReport[]; waitsFor?: string; error?: MirrorError }> {
  const done: SetReport[] = [];
  try {
    for (const { set, isGood } of sets) {
      const whole = openSet(repository, set, runtime.clock.now());
      const report = whole === undefined ? undefined : await writer.add(whole, isGood);
      if (report === undefined) return { done, waitsFor: formatSetName(set.id) };
      done.push(report);
    }
    return { done };
  } catch (error) {
    if (!isMirrorError(error, "REPOSITORY_INVALID", "UNSUPPORTED")) throw error;
    return { done, error };
  }
}

interface ChainWriter {
  /** @returns undefined while somebody may still be writing the set */
  add(set: WholeSet, isGood: boolean): Promise<SetReport | undefined>;
  /** Makes the ledger name all that was added. */
  flush(): Promise<void>;
}

/** Bytes, and sets, after which what was encoded is made durable: a killed cycle loses no more than that. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_SETS = 256;

async function openChain(
  chain: number,
  options: EncodeSetsOptions,
  onVolume: () => void,
): Promise<ChainWriter> {
  const { publication, repository, shape, suspects, signal } = options;
  const unsynced = new UnsyncedFiles(publication.folder);
  const known = publication.chains.find((other) => other.chain === chain);
  const place = { publication: publication.folder, session: publication.session };
  const packs = await openChainPacks({ ...place, chain }, { known, shape, unsynced, signal });
  const encoder = new FileEncoder(shape);
  const setPlace: SetPlace = { ...place, shape, encoder, packs, unsynced };
  let lines: Omit<LedgerLine, "previous">[] = [];
  let batchBytes = 0;
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return;
    await unsynced.sync({ signal });
    suspects.save();
    publication.append(chain, lines);
    lines = [];
    batchBytes = 0;
  };
  const add = async (set: WholeSet, isGood: boolean): Promise<SetReport | undefined> => {
    const notes = suspects.notesOf(set.set.id);
    const onEntry = (entry: ContentsEntry): void => notes.note(entry);
    const encoded = await encodeSet(repository, set, setPlace, { onVolume, onEntry, signal });
    if (encoded === undefined) return undefined;
    notes.adopt();
    const { line, volumeBytes, shareBytes } = encoded;
    const storedBytes = shareBytes * shape.n;
    lines.push(isGood ? line : { ...line, isWithheld: true });
    batchBytes += storedBytes;
    if (lines.length >= BATCH_SETS || batchBytes >= BATCH_BYTES) await flush();
    return {
      name: set.name,
      isEncrypted: set.isEncrypted,
      entryCount: line.entryCount,
      volumeCount: set.volumes.length,
      volumeBytes,
      storedBytes,
    };
  };
  return { add, flush };
}

function countVolumes(chosen: readonly ChosenSet[], { progress }: Runtime): () => void {
  const total = chosen.reduce((sum, { set }) => sum + set.volumes.length, 0);
  let done = 0;
  return () => {
    done += 1;
    progress("encode", done, total);
  };
}
