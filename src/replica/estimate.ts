/** What obeying a plan will fetch. */
import { blockSize } from "../erasure/codec.js";
import { stripesOf } from "./wanted-stripes.js";
import type { PlannedSet } from "./work.js";

export interface Estimate {
  readonly stripes: number;
  /** Of k blocks for every stripe. */
  readonly bytes: number;
}

export function estimateFetch(sets: readonly PlannedSet[]): Estimate {
  let stripes = 0;
  let bytes = 0;
  const numbered = sets.map((set, number) => ({ number, set }));
  const listener = { page: () => undefined, volume: () => undefined };
  for (const { file, stripe } of stripesOf(numbered, listener)) {
    const { k } = file.shape;
    const coded = file.file.stripes[stripe];
    if (coded === undefined) continue; // fetched already, to be decrypted
    stripes++;
    bytes += k * blockSize(coded.storedSizeBytes, k);
  }
  return { stripes, bytes };
}
