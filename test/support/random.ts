/** A small seeded generator (mulberry32), so that a failure can be run again: `SEED=<seed> npx vitest run ...`. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number = seedOfThisRun()) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** From 0 (inclusive) to 1 (exclusive). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  bytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size);
    for (let at = 0; at < size; at++) bytes[at] = this.below(256);
    return bytes;
  }
}

/** All sets of `size` numbers below `bound`, each ascending. */
export function combinations(bound: number, size: number, first = 0): number[][] {
  if (size === 0) return [[]];
  const found: number[][] = [];
  for (let value = first; value <= bound - size; value++) {
    for (const rest of combinations(bound, size - 1, value + 1)) found.push([value, ...rest]);
  }
  return found;
}

/** All of `values` when there are at most `most`, else `most` different ones at random. */
export function sample<T>(values: readonly T[], most: number, random: Random): readonly T[] {
  if (values.length <= most) return values;
  const left = [...values];
  return Array.from({ length: most }, () => {
    const [taken] = left.splice(random.below(left.length), 1);
    if (taken === undefined) throw new Error("nothing left to take");
    return taken;
  });
}

function seedOfThisRun(): number {
  const given = process.env["SEED"];
  return given === undefined ? Date.now() % 2 ** 31 : Number.parseInt(given, 10);
}
