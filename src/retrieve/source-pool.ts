import type { Runtime } from "../runtime.js";
import type { ByteRange } from "../store/source.js";
import { Beat } from "./beat.js";
import type { Offer } from "./choose.js";
import { HedgeBudget } from "./hedge.js";
import { type PooledSource, PoolMember } from "./pool-member.js";
import { Tempo } from "./tempo.js";

export type { PooledSource } from "./pool-member.js";

export interface SourceReport {
  readonly name: string;
  readonly url: string;
  /** Moved by the source since it was opened, for whatever reason. */
  readonly bytes: number;
  readonly requests: number;
  /** Reads that failed, or were so slow that others were begun, since the pool was made. */
  readonly errors: number;
  readonly corruptBlocks: number;
}

/**
 * The sources of a replica, and what it learned of them: how fast each is, which shares it has, and what it
 * did wrong. Sources are named by their position. The sources stay their owner's to close.
 */
export class SourcePool {
  /** By which its reads are judged. */
  readonly beat = new Beat();
  readonly tempo = new Tempo();
  /** Of spare reads. */
  readonly budget = new HedgeBudget();
  readonly #members: readonly PoolMember[];

  constructor(options: { readonly sources: readonly PooledSource[]; readonly runtime: Runtime }) {
    this.#members = options.sources.map((source) => new PoolMember(source, options.runtime));
  }

  /** The sources for a document, best first; every one is among them. */
  ranked(path: string, range: ByteRange): number[] {
    const quoted = this.#members.map((member, source) => {
      return { source, quote: member.quote(path, range) };
    });
    const rank = ({ quote }: (typeof quoted)[number]): number =>
      quote === undefined ? Infinity : RANKS[quote.standing] * 1e12 + quote.costMs;
    return quoted.sort((a, b) => rank(a) - rank(b)).map(({ source }) => source);
  }

  /** Where `range` of a share's pack can be had. */
  offers(share: number, path: string, range: ByteRange): Offer[] {
    const offers: Offer[] = [];
    for (const [source, member] of this.#members.entries()) {
      const quote = member.quote(path, range, share);
      if (quote !== undefined) offers.push({ share, source, ...quote });
    }
    return offers;
  }

  member(source: number): PoolMember {
    const member = this.#members[source];
    if (member === undefined) throw new RangeError(`no source ${source}`);
    return member;
  }

  report(): SourceReport[] {
    return this.#members.map(({ source, errors, corruptBlocks }) => {
      const { name, url, traffic } = source;
      return { name, url, ...traffic, errors, corruptBlocks };
    });
  }
}

const RANKS = { good: 0, avoided: 1, banned: 2, absent: 3 };
