/** A read on its way from a source of the pool, judged by what it shows, and given up when nobody needs it any more. */
import { MirrorError } from "../errors.js";
import { linkAbort } from "../store/linked-abort.js";
import type { ByteRange } from "../store/source.js";
import { isSlow } from "./hedge.js";
import { Progress } from "./progress.js";
import type { SourcePool } from "./source-pool.js";

export interface WantedRead {
  /** The source's number in its pool. */
  readonly source: number;
  readonly path: string;
  readonly range: ByteRange;
  readonly share?: number;
  /** Asks again, after a pause, when the source cannot be reached; such a read is not judged. */
  readonly isPatient: boolean;
}

export class WatchedRead {
  readonly #pool: SourcePool;
  readonly #wanted: WantedRead;
  readonly #progress: Progress;
  readonly #abort: ReturnType<typeof linkAbort>;
  readonly #isSpare: boolean;
  #isSlow = false;
  #isBlamed = false;
  #isGivenUp = false;

  /** `isSpare`: the pool's budget has reserved its bytes. */
  constructor(
    pool: SourcePool,
    wanted: WantedRead,
    options: { readonly signal: AbortSignal; readonly isSpare: boolean },
  ) {
    this.#pool = pool;
    this.#wanted = wanted;
    this.#progress = new Progress(wanted.range.sizeBytes, pool.beat);
    this.#abort = linkAbort(options.signal);
    this.#isSpare = options.isSpare;
    if (!this.#isSpare) pool.budget.asked(wanted.range.sizeBytes);
  }

  /** Once slow, it stays so: it may still win. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** What the source gives; throws as the source does. Called once. */
  async bytes(): Promise<Uint8Array> {
    const { source, ...wanted } = this.#wanted;
    const watched = { ...wanted, signal: this.#abort.signal, watch: this.#progress };
    try {
      const bytes = await this.#pool.member(source).read(watched);
      this.#pool.tempo.ended(source, this.#progress);
      return bytes;
    } finally {
      this.#abort.unlink();
      if (this.#isSpare) this.#pool.budget.settled(this.#wanted.range.sizeBytes);
    }
  }

  /** To be called at every beat. */
  judge(): void {
    if (this.#wanted.isPatient || this.#isSlow) return;
    const { source } = this.#wanted;
    const { tempo } = this.#pool;
    tempo.went(source, this.#progress);
    this.#isSlow = isSlow(this.#progress, {
      patienceMs: tempo.patienceMs,
      othersBytesPerMs: tempo.rateOfOthers(source),
    });
  }

  /** Tells the source's score that the read is so slow that another one was begun. */
  blame(): void {
    if (this.#isBlamed) return;
    this.#isBlamed = true;
    const { source, path } = this.#wanted;
    const { receivedBytes, sizeBytes, elapsedMs } = this.#progress;
    const came = `${receivedBytes} of ${sizeBytes} bytes in ${elapsedMs} ms`;
    this.#pool.member(source).outpaced(path, `${came}, asked for elsewhere`, elapsedMs);
  }

  giveUp(): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#pool.budget.wasted(this.#progress.receivedBytes);
    this.#abort.abort(new MirrorError("CANCELLED", "not needed any more"));
  }
}
