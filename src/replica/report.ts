/** What a cycle did, in the words and numbers that `--json` prints. */
import { formatSetName } from "../duplicity/names.js";
import type { SourceReport } from "../retrieve/source-pool.js";
import type { Clock } from "../runtime.js";
import type { Traffic } from "../store/source.js";
import type { Estimate } from "./estimate.js";
import type { HoldReport } from "./hold.js";
import type { Position } from "./position.js";

export type Strategy = "none" | "follow" | "rebase" | "fresh" | "repair";

export interface SyncReport {
  readonly mirror: string;
  readonly strategy: Strategy;
  readonly generation: number;
  readonly positionBefore: PositionReport | undefined;
  readonly positionAfter: PositionReport | undefined;
  /** Sets between the two, 0 unless the strategy is `follow`. */
  readonly setsFollowed: number;
  readonly files: FileCounts;
  /** Of a tree that was rolled back: it is not moved. */
  readonly held?: HoldReport;
  /** Of a plan that was not obeyed: what it would fetch. */
  readonly estimate?: Estimate;
  /** By kind of what was read: head, ledger, tables, blocks, and their total. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly sources: readonly SourceReport[];
  readonly seconds: Readonly<Record<string, number>>;
}

export interface FileCounts {
  readonly written: number;
  readonly patched: number;
  readonly special: number;
  /** Objects that only got other attributes. */
  readonly attributes: number;
  readonly deleted: number;
  /** Files whose base was not what a delta expects: fetched from their history. */
  readonly mended: number;
}

export interface PositionReport {
  readonly session: string;
  readonly chain: number;
  readonly set: string;
}

export function reportPosition(position: Position | undefined): PositionReport | undefined {
  if (position === undefined) return undefined;
  const { session, chain, set } = position;
  return { session, chain, set: formatSetName(set) };
}

/** Attributes time and traffic to the phase that is under way. */
export class PhaseMeter {
  readonly seconds: Record<string, number> = {};
  readonly bytes: Record<string, number> = {};
  readonly requests: Record<string, number> = {};
  readonly #clock: Clock;
  readonly #traffic: () => Traffic;
  /** Spent in phases within the present one. */
  #innerMs = 0;

  constructor(clock: Clock, traffic: () => Traffic) {
    this.#clock = clock;
    this.#traffic = traffic;
  }

  /** Runs a phase; `kind` names what it reads, when it reads anything. The time of a phase within another is its own. */
  async run<T>(phase: string, kind: string | undefined, work: () => T | Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const before = this.#traffic();
    const outerMs = this.#innerMs;
    this.#innerMs = 0;
    try {
      return await work();
    } finally {
      const spentMs = this.#clock.monotonicMs() - startMs;
      this.seconds[phase] = (this.seconds[phase] ?? 0) + (spentMs - this.#innerMs) / 1000;
      this.#innerMs = outerMs + spentMs;
      if (kind !== undefined) this.#count(kind, before, this.#traffic());
    }
  }

  /** Sums over all kinds, under `total`. */
  totals(): { bytes: Record<string, number>; requests: Record<string, number> } {
    return { bytes: withTotal(this.bytes), requests: withTotal(this.requests) };
  }

  #count(kind: string, before: Traffic, after: Traffic): void {
    this.bytes[kind] = (this.bytes[kind] ?? 0) + after.bytes - before.bytes;
    this.requests[kind] = (this.requests[kind] ?? 0) + after.requests - before.requests;
  }
}

function withTotal(counts: Record<string, number>): Record<string, number> {
  return { ...counts, total: Object.values(counts).reduce((sum, count) => sum + count, 0) };
}
