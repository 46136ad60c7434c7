/** One run: reads k shares of it, checks every block, and reads what is missing, bad or slow elsewhere, block by block. */
import { type ErrorCode, isMirrorError } from "../errors.js";
import { Gathering } from "./gathering.js";
import { planReads, type ReadUnderWay, type ShareRead } from "./plan-reads.js";
import type { Run } from "./plan-runs.js";
import { allOver } from "./settle.js";
import type { SourcePool } from "./source-pool.js";
import { UnderWay } from "./under-way.js";
import { WatchedRead } from "./watched-read.js";

/**
 * The raw bytes of each of the run's stripes. When it throws, nothing of it is under way.
 * @throws MirrorError SHARES_TOO_FEW, BLOCK_CORRUPT
 */
export async function retrieveRun(
  pool: SourcePool,
  run: Run,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const gatherings = run.items.map((item) => new Gathering(item));
  const reads = new RunReads(pool, signal);
  try {
    for (let hungry = gatherings; hungry.length > 0; hungry = hungry.filter(isHungry)) {
      reads.dropLosers();
      reads.ask(run, hungry);
      await reads.change();
    }
  } finally {
    await reads.end();
  }
  return allOver(gatherings.map((gathering) => gathering.finish()));
}

function isHungry({ missingCount }: Gathering): boolean {
  return missingCount > 0;
}

/** The reads of a run: as many as are needed, more when some are slow, and none that nobody needs any more. */
class RunReads {
  readonly #pool: SourcePool;
  readonly #signal: AbortSignal;
  readonly #underWay: UnderWay<RunningRead>;

  constructor(pool: SourcePool, signal: AbortSignal) {
    this.#pool = pool;
    this.#signal = signal;
    this.#underWay = new UnderWay(pool.beat);
  }

  ask(run: Run, hungry: readonly Gathering[]): void {
    const underWay = this.#underWay.reads;
    const { reads, spares } = planReads(this.#pool, run.file, { hungry, underWay });
    for (const wanted of reads) this.#begin(wanted, false);
    for (const { insteadOf, ...wanted } of spares) this.#hedge(wanted, insteadOf);
  }

  dropLosers(): void {
    for (const { read, wanted } of this.#underWay.reads) {
      const { gatherings, share } = wanted;
      if (!gatherings.some((one) => isHungry(one) && !one.has(share))) read.giveUp();
    }
  }

  /** Resolves when there may be something to do. */
  async change(): Promise<void> {
    await this.#underWay.change();
  }

  async end(): Promise<void> {
    await this.#underWay.end();
  }

  /** Races the slow read; without the bytes to spare for that, gives it up. */
  #hedge(wanted: ShareRead, slow: RunningRead): void {
    slow.read.blame();
    if (this.#pool.budget.reserve(wanted.range.sizeBytes)) {
      this.#begin(wanted, true);
    } else if (!wanted.isPatient) {
      slow.read.giveUp();
      slow.refuse("SOURCE_TIMEOUT");
    }
  }

  #begin(wanted: ShareRead, isSpare: boolean): void {
    const read = new WatchedRead(this.#pool, wanted, { signal: this.#signal, isSpare });
    const running = new RunningRead(wanted, read);
    this.#underWay.add(running, this.#read(running));
  }

  async #read(running: RunningRead): Promise<void> {
    let bytes: Uint8Array;
    try {
      bytes = await running.read.bytes();
    } catch (error) {
      if (running.read.isGivenUp) return;
      this.#signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
      running.refuse(error.code);
      return;
    }
    await this.#check(running, bytes);
  }

  async #check(running: RunningRead, bytes: Uint8Array): Promise<void> {
    const { share, source, range, path, gatherings } = running.wanted;
    const good = await allOver(
      gatherings.map((gathering) => {
        const start = gathering.item.offset - range.offset;
        const block = bytes.subarray(start, start + gathering.item.blockSizeBytes);
        return gathering.offer(share, block);
      }),
    );
    const bad = gatherings.filter((_, at) => good[at] === false);
    if (bad.length === 0) return;
    running.refuse("BLOCK_CORRUPT", bad);
    this.#pool.member(source).refuse(path, "BLOCK_CORRUPT", bad.length);
  }
}

class RunningRead implements ReadUnderWay {
  readonly wanted: ShareRead;
  readonly read: WatchedRead;

  constructor(wanted: ShareRead, read: WatchedRead) {
    this.wanted = wanted;
    this.read = read;
  }

  get isSlow(): boolean {
    return this.read.isSlow;
  }

  /** Of `gatherings`, or of all that it serves, no block comes from there. */
  refuse(code: ErrorCode, gatherings = this.wanted.gatherings): void {
    const { share, source, isPatient } = this.wanted;
    for (const gathering of gatherings) {
      gathering.refuse({ share, source, code, wasPatient: isPatient });
    }
  }
}
