/** The stripes that hold what a plan needs. Volumes hold their entries in the sets' order, so every stripe is asked for once. */
import { stripeCount } from "../erasure/stripe.js";
import {
  type ContentsEntry,
  type DataRun,
  decodeContentsPage,
  decodeDataRuns,
} from "../manifest/contents.js";
import type { LocatedFile, StripeRequest } from "../retrieve/stripes.js";
import { beyondEnd, type NumberedSet, outOfOrder, runsAfter, type WorkPage } from "./work.js";

/** Told of what comes next while stripes are asked for. */
export interface StripeListener {
  /** Before the first stripe that an entry of the page wants. */
  page(page: WorkPage): void;
  /** Before the first stripe of a volume. */
  volume(file: LocatedFile, set: number): void;
}

/**
 * The stripes that hold what the sets' needed entries want, each once.
 * @throws MirrorError DOCUMENT_INVALID when the contents place data beyond the end of its volume, or out of order
 */
export function* stripesOf(
  sets: readonly NumberedSet[],
  listener: StripeListener,
): Generator<StripeRequest> {
  let file: LocatedFile | undefined;
  let last: StripeRequest | undefined;
  for (const wanted of wantedRuns(sets, listener)) {
    const { number, set } = wanted.from;
    const next = set.volume(wanted.run.volume);
    if (next !== file) {
      if (file !== undefined && isWrapped(file)) yield* everyStripe(file);
      listener.volume(next, number);
      file = next;
    }
    // Where its data lies is seen when it is unwrapped: all that is wanted of it must be known by then.
    if (isWrapped(file) || isAsked(wanted.run, file, last)) continue;
    for (const request of stripesIn(wanted, file)) {
      const isBehind = last?.file === file && request.stripe <= last.stripe;
      if (isBehind && request.stripe === last?.stripe) continue;
      if (isBehind) throw outOfOrder(entryOf(wanted));
      last = request;
      yield last;
    }
  }
  if (file !== undefined && isWrapped(file)) yield* everyStripe(file);
}

function isWrapped({ file }: LocatedFile): boolean {
  return file.wrapping !== "plain";
}

/** Of a published file, in order. */
export function* everyStripe(file: LocatedFile): Generator<StripeRequest> {
  const count = stripeCount(file.file);
  for (let stripe = 0; stripe < count; stripe++) yield { file, stripe };
}

/** Data of a needed entry. */
interface WantedRun {
  readonly run: DataRun;
  readonly from: NumberedSet;
  readonly page: Uint8Array;
  /** Which entry of the page, from 0. */
  readonly entry: number;
}

/** Run after run of entry after entry. Of the pages, those are told of that hold something needed. */
function* wantedRuns(sets: readonly NumberedSet[], listener: StripeListener): Generator<WantedRun> {
  for (const from of sets) {
    let first = 0;
    for (const bytes of from.set.pages()) {
      const runs = decodeDataRuns(bytes);
      const page = workPage(from, { bytes, first, end: first + runs.length });
      first += runs.length;
      if (!page.uses.some((use) => use !== 0)) continue;
      listener.page(page);
      yield* neededRuns(from, page, runs);
    }
  }
}

function* neededRuns(
  from: NumberedSet,
  { page, uses, begun }: WorkPage,
  runs: readonly (readonly DataRun[])[],
): Generator<WantedRun> {
  for (let entry = 0; entry < runs.length; entry++) {
    if (uses[entry] === 0) continue;
    const doneBytes = entry === begun?.number ? begun.doneBytes : 0;
    for (const run of runsAfter(runs[entry] ?? [], doneBytes)) {
      if (run.pieceSizeBytes * run.pieceCount > 0) yield { run, from, page, entry };
    }
  }
}

/** The page of entries `first` up to, not including, `end`. */
function workPage(
  { number, set: { uses, begun } }: NumberedSet,
  {
    bytes,
    first,
    end,
  }: { readonly bytes: Uint8Array; readonly first: number; readonly end: number },
): WorkPage {
  const page = { set: number, page: bytes, uses: uses.slice(first, end) };
  if (begun === undefined || begun.ordinal < first || begun.ordinal >= end) return page;
  return { ...page, begun: { number: begun.ordinal - first, doneBytes: begun.doneBytes } };
}

/** Whether the last stripe that was asked for holds all of the run, as it does of most small files. */
function isAsked(run: DataRun, file: LocatedFile, last: StripeRequest | undefined): boolean {
  if (last?.file !== file) return false;
  const { stripeSizeBytes } = file.file;
  const start = last.stripe * stripeSizeBytes;
  const end = run.offset + (run.pieceCount - 1) * run.strideBytes + run.pieceSizeBytes;
  return run.offset >= start && end <= start + stripeSizeBytes;
}

function* stripesIn(wanted: WantedRun, file: LocatedFile): Generator<StripeRequest> {
  const { stripeSizeBytes } = file.file;
  const count = stripeCount(file.file);
  const { run } = wanted;
  for (let piece = 0; piece < run.pieceCount; piece++) {
    const start = run.offset + piece * run.strideBytes;
    const last = Math.floor((start + run.pieceSizeBytes - 1) / stripeSizeBytes);
    if (last >= count) throw beyondEnd(entryOf(wanted));
    for (let stripe = Math.floor(start / stripeSizeBytes); stripe <= last; stripe++) {
      yield { file, stripe };
    }
  }
}

/** Known to be there: its data was read. */
function entryOf({ page, entry }: WantedRun): ContentsEntry {
  const found = [...decodeContentsPage(page)][entry];
  if (found === undefined) throw new RangeError("a page has the entries whose data it gave");
  return found;
}
