/** The needed entries of a plan, in order of set and index, and the data that each of them wants. */
import { displayPath } from "../bytes/tree-path.js";
import { MirrorError } from "../errors.js";
import { type ContentsEntry, type DataRun, decodeContentsPage } from "../manifest/contents.js";
import { dataSize } from "../manifest/contents-layout.js";
import type { LocatedFile, StripeRequest } from "../retrieve/stripes.js";
import type { EntryUses } from "./plan.js";

/** A set as a plan uses it. */
export interface PlannedSet {
  readonly uses: EntryUses;
  /** The pages of the set's contents, in order; may be asked for again. */
  readonly pages: () => Iterable<Uint8Array>;
  /** A volume as it lies at `origin`. @throws MirrorError DOCUMENT_INVALID when the set has no such volume */
  readonly volume: (number: number) => LocatedFile;
  readonly origin: VolumeOrigin;
  /** A file of which an earlier build has staged the beginning. */
  readonly begun?: BegunFile | undefined;
}

/** A file that is the data of one entry, and of which the first bytes are staged. */
export interface BegunFile {
  /** Which of the plan's lineage, from 0. */
  readonly set: number;
  /** Which entry of that set, from 0. */
  readonly ordinal: number;
  readonly doneBytes: number;
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

/** A page of contents with what its entries are for: what a builder needs to know before the bytes come. */
export interface WorkPage {
  /** Which of the planned sets, from 0. */
  readonly set: number;
  readonly page: Uint8Array;
  /** One byte per entry of the page, as in `EntryUses`. */
  readonly uses: Uint8Array;
  /** Of an entry of the page, from 0: the first bytes of its data that are not wanted any more. */
  readonly begun?: { readonly number: number; readonly doneBytes: number } | undefined;
}

/** A run of the unwrapped bytes of a set's volume. */
export interface SetChunk {
  readonly set: number;
  readonly volume: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** One needed entry and how much of its data has been taken. */
export class WorkItem {
  readonly entry: ContentsEntry;
  readonly use: number;
  /** Of the data that is wanted. */
  readonly sizeBytes: number;
  /** Of the data that went before it. */
  readonly doneBytes: number;
  readonly #set: number;
  readonly #runs: readonly DataRun[];
  #run = 0;
  #piece = 0;
  #taken = 0;

  constructor(set: number, entry: ContentsEntry, use: number, doneBytes: number) {
    this.entry = entry;
    this.use = use;
    this.doneBytes = doneBytes;
    this.#set = set;
    this.#runs = runsAfter(runsOf(entry), doneBytes);
    this.sizeBytes = dataSize(this.#runs);
    this.#skipEmpty();
  }

  get isComplete(): boolean {
    return this.#run === this.#runs.length;
  }

  /** The next slice of this item's data that lies in `chunk`, or nothing when it does not begin there. */
  take(chunk: SetChunk): Uint8Array | undefined {
    const run = this.#runs[this.#run];
    if (run?.volume !== chunk.volume || this.#set !== chunk.set) return undefined;
    const from = run.offset + this.#piece * run.strideBytes + this.#taken - chunk.offset;
    if (from < 0) throw outOfOrder(this.entry);
    if (from >= chunk.bytes.length) return undefined;
    const slice = chunk.bytes.subarray(from, from + run.pieceSizeBytes - this.#taken);
    this.#taken += slice.length;
    if (this.#taken === run.pieceSizeBytes) this.#nextPiece(run);
    return slice;
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

/** The needed entries of a page, in order. */
export function workItems({ set, page, uses, begun }: WorkPage): WorkItem[] {
  const items: WorkItem[] = [];
  let number = 0;
  for (const entry of decodeContentsPage(page)) {
    const doneBytes = begun?.number === number ? begun.doneBytes : 0;
    const use = uses[number++] ?? 0;
    if (use !== 0) items.push(new WorkItem(set, entry, use, doneBytes));
  }
  return items;
}

/** A run of the unwrapped bytes of a volume, as its origin gives it. */
export interface VolumeChunk {
  readonly file: LocatedFile;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Sets that follow each other and come from the same place are read as one. */
export function* byOrigin(
  sets: readonly PlannedSet[],
): Generator<{ readonly origin: VolumeOrigin; readonly sets: readonly NumberedSet[] }> {
  let same: NumberedSet[] = [];
  for (const [number, set] of sets.entries()) {
    same.push({ number, set });
    if (sets[number + 1]?.origin === set.origin) continue;
    yield { origin: set.origin, sets: same };
    same = [];
  }
}

/** A planned set and which of them it is. */
export interface NumberedSet {
  readonly number: number;
  readonly set: PlannedSet;
}

function runsOf(entry: ContentsEntry): readonly DataRun[] {
  return entry.kind === "deleted" || entry.kind === "object" ? [] : entry.data;
}

/** What of the data of `runs` comes after its first bytes. */
export function runsAfter(runs: readonly DataRun[], doneBytes: number): readonly DataRun[] {
  if (doneBytes === 0) return runs;
  const left: DataRun[] = [];
  let passed = doneBytes;
  for (const run of runs) {
    const sizeBytes = run.pieceSizeBytes * run.pieceCount;
    if (passed === 0) left.push(run);
    else if (passed < sizeBytes) left.push(...runAfter(run, passed));
    passed -= Math.min(passed, sizeBytes);
  }
  return left;
}

/** What is left of the piece that was begun, and the pieces after it. */
function runAfter(run: DataRun, doneBytes: number): DataRun[] {
  const { volume, offset, pieceSizeBytes, pieceCount, strideBytes } = run;
  const piece = Math.floor(doneBytes / pieceSizeBytes);
  const passed = doneBytes % pieceSizeBytes;
  const start = offset + piece * strideBytes;
  if (passed === 0) return [{ ...run, offset: start, pieceCount: pieceCount - piece }];
  const sizeBytes = pieceSizeBytes - passed;
  const rest = { volume, offset: start + passed, pieceSizeBytes: sizeBytes };
  return [
    { ...rest, pieceCount: 1, strideBytes: sizeBytes },
    { ...run, offset: start + strideBytes, pieceCount: pieceCount - piece - 1 },
  ];
}

/** Of data that its volume does not hold. */
export function beyondEnd(entry: ContentsEntry): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents place ${displayPath(entry.path)} beyond the end of its volume`,
  );
}

/** Of data that comes too late. */
export function outOfOrder(entry: ContentsEntry): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents say that the data of ${displayPath(entry.path)} lies before that of an earlier entry`,
  );
}
