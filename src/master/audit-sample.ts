/** Which blocks an audit reads: the same for the same seed. */
import { sha256 } from "../bytes/digest.js";

/** @returns whether to take each of the numbers from 0 to `total` - 1; `count` of them are */
export function choosePositions(options: {
  readonly seed: number;
  /** Different ones are chosen for each. */
  readonly what: string;
  readonly count: number | "all";
  readonly total: number;
}): (position: number) => boolean {
  const { seed, what, count, total } = options;
  if (count === "all" || count >= total) return () => true;
  const chosen = new Set<number>();
  for (let at = 0; chosen.size < count; at++) {
    const digest = sha256(Buffer.from(`${seed} ${what} ${at}`));
    chosen.add(Buffer.from(digest).readUIntBE(0, 6) % total);
  }
  return (position) => chosen.has(position);
}
