/** Which stripes are read together: those whose blocks lie one after the other in the same pack. Pure. */
import assert from "node:assert/strict";
import { blockSize } from "../erasure/codec.js";
import type { Shape } from "../erasure/shape.js";
import { stripeSize } from "../erasure/stripe.js";
import { type CodedFile, type Stripe, stripeOffsets } from "../manifest/file-table.js";
import type { Stream } from "../manifest/paths.js";

export interface StripeRequest {
  readonly file: LocatedFile;
  /** From 0. */
  readonly stripe: number;
}

/** A coded file, and in which packs its blocks lie. */
export interface LocatedFile {
  readonly session: string;
  /** The chain's name: the time of its full set. */
  readonly chain: number;
  readonly shape: Shape;
  readonly stream: Stream;
  readonly file: CodedFile;
}

/** One range of a pack, the same in every share. */
export interface Run {
  /** Names session, chain, stream, pack and shape. */
  readonly file: LocatedFile;
  readonly items: readonly RunItem[];
  /** What its blocks take in memory, or its stripes, whichever is more. */
  readonly memoryBytes: number;
}

/** A stripe of a run; blocks lie in ascending order and do not overlap. */
export interface RunItem {
  readonly request: StripeRequest;
  readonly stripe: Stripe;
  /** Of its block in the pack. */
  readonly offset: number;
  readonly blockSizeBytes: number;
  readonly rawSizeBytes: number;
}

export interface RunLimits {
  /** Of one share; a single block may be larger. */
  readonly rangeBytes: number;
  readonly memoryBytes: number;
  /** Bytes that nobody asked for between two blocks are read along when there are no more than this. */
  readonly gapBytes: number;
  readonly itemCount: number;
}

/** Pulls one request more than the run it gives needs; closes `requests` when it is closed. */
export function* planRuns(requests: Iterable<StripeRequest>, limits: RunLimits): Generator<Run> {
  const locate = locator();
  let draft: Draft | undefined;
  for (const request of requests) {
    const item = locate(request);
    if (draft !== undefined && mayJoin(draft, item, limits)) {
      draft.items.push(item);
      draft.rawBytes += item.rawSizeBytes;
      draft.end = endOf(item);
      continue;
    }
    if (draft !== undefined) yield finish(draft);
    draft = begin(item);
  }
  if (draft !== undefined) yield finish(draft);
}

/** A run that may still grow. */
interface Draft {
  readonly file: LocatedFile;
  readonly items: RunItem[];
  readonly start: number;
  end: number;
  rawBytes: number;
}

/** Requests of one file come together: its offsets are worked out once. */
function locator(): (request: StripeRequest) => RunItem {
  let last: { readonly file: CodedFile; readonly offsets: readonly number[] } | undefined;
  return (request) => {
    const { file, shape } = request.file;
    if (last?.file !== file) last = { file, offsets: stripeOffsets(file, shape) };
    const stripe = file.stripes[request.stripe];
    const offset = last.offsets[request.stripe];
    assert(stripe !== undefined && offset !== undefined, `${file.name}: stripe ${request.stripe}`);
    return {
      request,
      stripe,
      offset,
      blockSizeBytes: blockSize(stripe.storedSizeBytes, shape.k),
      rawSizeBytes: stripeSize(file, request.stripe),
    };
  };
}

function begin(item: RunItem): Draft {
  const { offset, rawSizeBytes, request } = item;
  return {
    file: request.file,
    items: [item],
    start: offset,
    end: endOf(item),
    rawBytes: rawSizeBytes,
  };
}

function finish({ file, items, start, end, rawBytes }: Draft): Run {
  return { file, items, memoryBytes: memoryOf(file.shape, end - start, rawBytes) };
}

function mayJoin(draft: Draft, next: RunItem, limits: RunLimits): boolean {
  if (draft.items.length >= limits.itemCount) return false;
  if (!isSamePack(draft.file, next.request.file)) return false;
  const gapBytes = next.offset - draft.end;
  if (gapBytes < 0 || gapBytes > limits.gapBytes) return false;
  const rangeBytes = endOf(next) - draft.start;
  if (rangeBytes > limits.rangeBytes) return false;
  const rawBytes = draft.rawBytes + next.rawSizeBytes;
  return memoryOf(draft.file.shape, rangeBytes, rawBytes) <= limits.memoryBytes;
}

function isSamePack(a: LocatedFile, b: LocatedFile): boolean {
  if (a === b) return true;
  return (
    a.file.pack === b.file.pack &&
    a.chain === b.chain &&
    a.stream === b.stream &&
    a.shape.k === b.shape.k &&
    a.shape.n === b.shape.n &&
    a.session === b.session
  );
}

/** The ranges of k shares are held until their stripes are made. */
function memoryOf({ k }: Shape, rangeBytes: number, rawBytes: number): number {
  return Math.max(k * rangeBytes, rawBytes);
}

function endOf({ offset, blockSizeBytes }: RunItem): number {
  return offset + blockSizeBytes;
}
