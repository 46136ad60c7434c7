/** What obeying a plan will fetch. */
import { blockSize } from "../erasure/codec.js";
import { type PlannedSet, stripesOf, workItems } from "./work.js";

export interface Estimate {
  readonly stripes: number;
  /** Of k blocks for every stripe. */
  readonly bytes: number;
}

export function estimateFetch(sets: readonly PlannedSet[]): Estimate {
  let stripes = 0;
  let bytes = 0;
  for (const { file, stripe } of stripesOf(workItems(sets), () => undefined)) {
    const { k } = file.shape;
    const coded = file.file.stripes[stripe];
    if (coded === undefined) continue; // fetched already, to be decrypted
    stripes++;
    bytes += k * blockSize(coded.storedSizeBytes, k);
  }
  return { stripes, bytes };
}
