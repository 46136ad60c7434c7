/** Which shares to read, and where. Pure. */
import type { Standing } from "./source-score.js";

/** A share that can be had from a source. */
export interface Offer {
  readonly share: number;
  /** The source's number in its pool. */
  readonly source: number;
  /** `absent`: the source lately said that it does not have these bytes. */
  readonly standing: Standing | "absent";
  /** Expected time of the read by itself, and how much every byte read along with it adds. */
  readonly costMs: number;
  readonly msPerByte: number;
}

export interface Wanted {
  /** How many shares. */
  readonly count: number;
  /** Of each share. */
  readonly sizeBytes: number;
  /** The first k shares are the data itself. */
  readonly k: number;
}

/**
 * The offers to take: at most one of each share, the cheapest first, data before parity, and spread
 * over the sources as their speed allows. Fewer than `count` when there are no more shares.
 */
export function chooseOffers(offers: readonly Offer[], wanted: Wanted): Offer[] {
  const chosen: Offer[] = [];
  const shares = new Set<number>();
  const readsOf = new Map<number, number>();
  while (chosen.length < wanted.count) {
    const best = cheapest(offers, shares, (offer) =>
      priceOf(offer, wanted, readsOf.get(offer.source) ?? 0),
    );
    if (best === undefined) break;
    chosen.push(best);
    shares.add(best.share);
    readsOf.set(best.source, (readsOf.get(best.source) ?? 0) + 1);
  }
  return chosen;
}

/** Parity must be decoded; it is worth that only where it comes clearly sooner. */
const PARITY_FACTOR = 2;
const PARITY_MS = 20;

/** Sources of which nothing is known yet share the work too. */
const OTHER_READ_MS = 1;

/** Beyond any time that a read may take, so that a better standing always comes first. */
const STANDING_MS = { good: 0, avoided: 1e12, banned: 2e12, absent: 3e12 };

function priceOf(offer: Offer, { sizeBytes, k }: Wanted, readsAlready: number): number {
  const readMs = offer.costMs + readsAlready * (OTHER_READ_MS + sizeBytes * offer.msPerByte);
  const standingMs = STANDING_MS[offer.standing];
  return offer.share < k ? readMs + standingMs : readMs * PARITY_FACTOR + PARITY_MS + standingMs;
}

function cheapest(
  offers: readonly Offer[],
  taken: ReadonlySet<number>,
  price: (offer: Offer) => number,
): Offer | undefined {
  let best: Offer | undefined;
  let bestPrice = Infinity;
  for (const offer of offers) {
    if (taken.has(offer.share)) continue;
    const offerPrice = price(offer);
    if (offerPrice >= bestPrice) continue;
    best = offer;
    bestPrice = offerPrice;
  }
  return best;
}
