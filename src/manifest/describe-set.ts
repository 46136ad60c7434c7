/** From a set's volumes and signature archive to the entries of its contents, in one pass and bounded memory. */
import type { ContentsEntry } from "./contents.js";
import { EntryJoiner } from "./entry-joiner.js";
import { SignatureCursor } from "./signature-cursor.js";

/** A set as its unwrapped tar streams. */
export interface DescribedSet {
  /** In numeric order. */
  readonly volumes: AsyncIterable<{
    readonly number: number;
    readonly chunks: AsyncIterable<Uint8Array>;
  }>;
  readonly signatures?: AsyncIterable<Uint8Array>;
  readonly isIncrement: boolean;
}

/**
 * The set's entries, in index order. A delta is read for the size of its result, and one that only copies the
 * beginning of its base needs no data any more.
 * @throws MirrorError FORMAT_INVALID when the streams are no whole set or contradict each other; PATH_REFUSED;
 * UNSUPPORTED for the backup of a single file
 */
export async function* describeSet(set: DescribedSet): AsyncGenerator<ContentsEntry> {
  if (set.signatures === undefined) {
    for await (const entries of joinVolumes(set)) yield* entries;
    return;
  }
  const signatures = new SignatureCursor(set.signatures);
  try {
    for await (const entries of joinVolumes(set)) {
      for (const entry of entries) {
        yield signatures.signIfReady(entry) ?? (await signatures.sign(entry));
      }
    }
    await signatures.finish();
  } finally {
    await signatures.close();
  }
}

/** The joined entries of all volumes, as many at a time as a chunk completes. */
async function* joinVolumes({
  volumes,
  isIncrement,
}: DescribedSet): AsyncGenerator<ContentsEntry[]> {
  const joiner = new EntryJoiner(isIncrement);
  for await (const { number, chunks } of volumes) {
    joiner.beginVolume(number);
    for await (const chunk of chunks) yield joiner.push(chunk);
    joiner.endVolume();
  }
  yield joiner.finish();
}
