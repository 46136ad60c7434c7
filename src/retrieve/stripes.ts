/** Stripes by the thousand, in the order asked for, read ahead within bounds. */
import { MirrorError } from "../errors.js";
import {
  LOOKAHEAD_BYTES,
  LOOKAHEAD_RUNS,
  RANGE_GAP_MAX_BYTES,
  RANGE_MAX_BYTES,
  RUN_STRIPES_MAX,
} from "../limits.js";
import { linkAbort } from "../store/linked-abort.js";
import { planRuns, type Run, type RunLimits, type StripeRequest } from "./plan-runs.js";
import { retrieveRun } from "./retrieve-run.js";
import type { SourcePool } from "./source-pool.js";

export type { LocatedFile, StripeRequest } from "./plan-runs.js";

export interface RetrieveOptions {
  readonly pool: SourcePool;
  /** Pulled as room permits; never again once the stripes are no longer asked for. */
  readonly requests: Iterable<StripeRequest>;
  readonly signal: AbortSignal;
  /** Of stripes that are read but not yet taken. */
  readonly lookaheadBytes?: number;
}

export interface RetrievedStripe {
  readonly request: StripeRequest;
  /** Raw: decoded, decompressed, and every block checked. */
  readonly bytes: Uint8Array;
}

/**
 * Whatever ends it (the last stripe, a failure, the signal, a consumer that stops), nothing that it began is
 * under way afterwards.
 * @throws MirrorError SHARES_TOO_FEW, BLOCK_CORRUPT; the signal's reason
 */
export async function* retrieveStripes(options: RetrieveOptions): AsyncGenerator<RetrievedStripe> {
  const { pool, requests, signal, lookaheadBytes = LOOKAHEAD_BYTES } = options;
  const work = linkAbort(signal);
  const lookahead = new Lookahead(requests, lookaheadBytes, (run) =>
    retrieveRun(pool, run, work.signal),
  );
  try {
    for (;;) {
      signal.throwIfAborted();
      const stripes = await lookahead.next();
      if (stripes === undefined) return;
      for (const stripe of stripes) {
        yield stripe;
        signal.throwIfAborted();
      }
    }
  } finally {
    work.abort(new MirrorError("CANCELLED", "the rest is not wanted"));
    await lookahead.close();
    work.unlink();
  }
}

/** Runs under way and runs that wait to be taken, in order. */
class Lookahead {
  readonly #runs: Generator<Run>;
  readonly #retrieve: (run: Run) => Promise<Uint8Array[]>;
  readonly #maxBytes: number;
  readonly #runMaxBytes: number;
  readonly #waiting: Pending[] = [];
  /** What `next` gave last: its memory is free when `next` is called again. */
  #takenBytes = 0;
  #bytes = 0;

  constructor(
    requests: Iterable<StripeRequest>,
    maxBytes: number,
    retrieve: (run: Run) => Promise<Uint8Array[]>,
  ) {
    const limits = runLimits(maxBytes);
    this.#runs = planRuns(requests, limits);
    this.#retrieve = retrieve;
    this.#maxBytes = maxBytes;
    this.#runMaxBytes = limits.memoryBytes;
  }

  async next(): Promise<RetrievedStripe[] | undefined> {
    this.#bytes -= this.#takenBytes;
    this.#takenBytes = 0;
    this.#fill();
    const first = this.#waiting[0];
    if (first === undefined) return undefined;
    const [outcome] = await first.outcome;
    this.#waiting.shift();
    if (outcome.status === "rejected") throw outcome.reason;
    this.#takenBytes = first.run.memoryBytes;
    const stripes = outcome.value;
    return first.run.items.flatMap(({ request }, at) => {
      const bytes = stripes[at];
      return bytes === undefined ? [] : [{ request, bytes }];
    });
  }

  /** Waits for all that was begun; whoever calls has cancelled it. */
  async close(): Promise<void> {
    this.#runs.return(undefined);
    await Promise.all(this.#waiting.map(({ outcome }) => outcome));
  }

  #fill(): void {
    while (this.#hasRoom()) {
      const next = this.#runs.next();
      if (next.done === true) return;
      const run = next.value;
      this.#bytes += run.memoryBytes;
      this.#waiting.push({ run, outcome: Promise.allSettled([this.#retrieve(run)]) });
    }
  }

  #hasRoom(): boolean {
    if (this.#waiting.length === 0) return true;
    if (this.#waiting.length >= LOOKAHEAD_RUNS) return false;
    return this.#bytes + this.#runMaxBytes <= this.#maxBytes;
  }
}

interface Pending {
  readonly run: Run;
  /** Settled, so that a failure waits for its turn. */
  readonly outcome: Promise<[PromiseSettledResult<Uint8Array[]>]>;
}

/** Several runs fit ahead: while one is taken, others are read, hashed and decompressed. */
function runLimits(lookaheadBytes: number): RunLimits {
  return {
    rangeBytes: RANGE_MAX_BYTES,
    memoryBytes: lookaheadBytes / RUNS_PER_LOOKAHEAD,
    gapBytes: RANGE_GAP_MAX_BYTES,
    itemCount: RUN_STRIPES_MAX,
  };
}

const RUNS_PER_LOOKAHEAD = 3;
