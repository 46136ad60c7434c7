/**
 * The needed entries of a plan, in order of set and index, and the stripes that hold their data.
 * Volumes hold their entries in the same order, so every stripe is asked for once.
 */

import { displayPath } from "../bytes/tree-path.js";
import { stripeCount } from "../erasure/stripe.js";
import { MirrorError } from "../errors.js";
import { STRIPE_SIZE_BYTES } from "../limits.js";
import type { ContentsEntry, DataRun } from "../manifest/contents.js";
import type { LocatedFile, StripeRequest } from "../retrieve/stripes.js";
import type { EntryUses } from "./plan.js";

/** A set as a plan uses it. */
export interface PlannedSet {
  readonly uses: EntryUses;
  /** The set's entries in index order; may be asked for again. */
  readonly entries: () => Iterable<ContentsEntry>;
  /** A volume as it lies at `origin`. @throws MirrorError DOCUMENT_INVALID when the set has no such volume */
  readonly volume: (number: number) => LocatedFile;
  readonly origin: VolumeOrigin;
}

/** Where the unwrapped bytes of volumes come from. */
export interface VolumeOrigin {
  /** A published volume as it lies here. */
  locate(volume: LocatedFile): LocatedFile;
  /**
   * The bytes of these stripes, in this order, unwrapped; of a wrapped volume all of them. A stripe is given only after
   * one more was asked for: until then not all is known that is wanted of it.
   */
  read(requests: Iterable<StripeRequest>, signal: AbortSignal): AsyncGenerator<VolumeChunk>;
}

/** One needed entry and how much of its data has been taken. */
export class WorkItem {
  readonly entry: ContentsEntry;
  readonly use: number;
  readonly sizeBytes: number;
  readonly #set: PlannedSet;
  readonly #runs: readonly DataRun[];
  #run = 0;
  #piece = 0;
  #taken = 0;

  constructor(set: PlannedSet, entry: ContentsEntry, use: number) {
    this.entry = entry;
    this.use = use;
    this.#set = set;
    this.#runs = entry.kind === "snapshot" || entry.kind === "diff" ? entry.data : [];
    this.sizeBytes = this.#runs.reduce((sum, run) => sum + run.pieceSizeBytes * run.pieceCount, 0);
    this.#skipEmpty();
  }

  get isComplete(): boolean {
    return this.#run === this.#runs.length;
  }

  /** The next slice of this item's data that lies in `chunk`, or nothing when it does not begin there. */
  take(chunk: VolumeChunk): Uint8Array | undefined {
    const run = this.#runs[this.#run];
    if (run === undefined || this.#set.volume(run.volume) !== chunk.file) return undefined;
    const from = run.offset + this.#piece * run.strideBytes + this.#taken - chunk.offset;
    if (from < 0) throw outOfOrder(this.entry);
    if (from >= chunk.bytes.length) return undefined;
    const slice = chunk.bytes.subarray(from, from + run.pieceSizeBytes - this.#taken);
    this.#taken += slice.length;
    if (this.#taken === run.pieceSizeBytes) this.#nextPiece(run);
    return slice;
  }

  /** The stripes that hold this item's data, in order, neighbours not repeated. */
  *stripes(): Generator<StripeRequest> {
    for (const run of this.#runs) {
      const file = this.#set.volume(run.volume);
      if (file.file.wrapping !== "plain") {
        yield* everyStripe(file);
        continue;
      }
      for (let piece = 0; piece < run.pieceCount; piece++) {
        const start = run.offset + piece * run.strideBytes;
        const last = Math.floor((start + run.pieceSizeBytes - 1) / STRIPE_SIZE_BYTES);
        if (last >= stripeCount(file.file.sizeBytes)) throw beyondEnd(this.entry);
        for (let stripe = Math.floor(start / STRIPE_SIZE_BYTES); stripe <= last; stripe++) {
          yield { file, stripe };
        }
      }
    }
  }

  #nextPiece(run: DataRun): void {
    this.#taken = 0;
    this.#piece++;
    if (this.#piece < run.pieceCount) return;
    this.#piece = 0;
    this.#run++;
    this.#skipEmpty();
  }

  #skipEmpty(): void {
    for (let run = this.#runs[this.#run]; run !== undefined; run = this.#runs[this.#run]) {
      if (run.pieceSizeBytes * run.pieceCount > 0) return;
      this.#run++;
    }
  }
}

/** A run of a volume's unwrapped bytes. */
export interface VolumeChunk {
  readonly file: LocatedFile;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Sets that follow each other and come from the same place are read as one. */
export function* byOrigin(
  sets: readonly PlannedSet[],
): Generator<{ readonly origin: VolumeOrigin; readonly sets: readonly PlannedSet[] }> {
  let same: PlannedSet[] = [];
  for (const [at, set] of sets.entries()) {
    same.push(set);
    if (sets[at + 1]?.origin === set.origin) continue;
    yield { origin: set.origin, sets: same };
    same = [];
  }
}

/** The needed entries of all sets: oldest set first, each in index order. */
export function* workItems(sets: readonly PlannedSet[]): Generator<WorkItem> {
  for (const set of sets) {
    if (set.uses.isEmpty) continue;
    let ordinal = 0;
    for (const entry of set.entries()) {
      const use = set.uses.of(ordinal++);
      if (use !== 0) yield new WorkItem(set, entry, use);
    }
  }
}

/** The stripes of `items`, each once, handing every item to `queue` before its first stripe is asked for. */
export function* stripesOf(
  items: Iterable<WorkItem>,
  queue: (item: WorkItem) => void,
): Generator<StripeRequest> {
  let last: StripeRequest | undefined;
  for (const item of items) {
    queue(item);
    for (const request of item.stripes()) {
      const isBehind = request.file === last?.file && request.stripe < last.stripe;
      if (isBehind && request.file.file.wrapping === "plain") throw outOfOrder(item.entry);
      if (isBehind || (request.file === last?.file && request.stripe === last.stripe)) continue;
      yield request;
      last = request;
    }
  }
}

/** Of a published file, in order. */
export function* everyStripe(file: LocatedFile): Generator<StripeRequest> {
  const count = stripeCount(file.file.sizeBytes);
  for (let stripe = 0; stripe < count; stripe++) yield { file, stripe };
}

/** Of data that its volume does not hold. */
export function beyondEnd(entry: ContentsEntry): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents place ${displayPath(entry.path)} beyond the end of its volume`,
  );
}

function outOfOrder(entry: ContentsEntry): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents say that the data of ${displayPath(entry.path)} lies before that of an earlier entry`,
  );
}
