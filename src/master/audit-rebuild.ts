/** The blocks of one share of a pack: from any place that has them, else from any k others of the same stripes. */
import { decodeBlocks, encodeBlocks } from "../erasure/codec.js";
import { MirrorError } from "../errors.js";
import { packPath } from "../manifest/paths.js";
import { cutBlock, isBlock, joinBlocks, rangeOf } from "./audit-blocks.js";
import type { Place } from "./audit-place.js";
import type { TrueBlock, TruePack } from "./audit-truth.js";

export interface RebuildOptions {
  readonly session: string;
  readonly places: readonly Place[];
  readonly signal: AbortSignal;
}

/**
 * Every block as it was published.
 * @throws MirrorError SHARES_TOO_FEW when fewer than k good ones can be had of a stripe
 * @throws MirrorError BLOCK_CORRUPT when k good ones give another block than the one that was published
 */
export async function* rebuildBlocks(
  pack: TruePack,
  share: number,
  options: RebuildOptions,
): AsyncGenerator<{ readonly offset: number; readonly bytes: Uint8Array }> {
  for (const run of joinBlocks(pack.blocks)) {
    const stripes = run.map((block) => new StripeBlocks(block, pack));
    await collect(stripes, { pack, share, ...options });
    const others = Array.from({ length: pack.shape.n }, (_, other) => other);
    for (const other of others.filter((number) => number !== share)) {
      const hungry = stripes.filter((stripe) => !stripe.gives(share));
      await collect(hungry, { pack, share: other, ...options });
    }
    for (const stripe of stripes) {
      yield { offset: stripe.block.offset, bytes: await stripe.make(share) };
    }
  }
}

/** The good blocks of one stripe that were found so far. */
class StripeBlocks {
  readonly block: TrueBlock;
  readonly #pack: TruePack;
  readonly #found: (Uint8Array | undefined)[];

  constructor(block: TrueBlock, pack: TruePack) {
    this.block = block;
    this.#pack = pack;
    this.#found = Array.from({ length: pack.shape.n }, () => undefined);
  }

  has(share: number): boolean {
    return this.#found[share] !== undefined;
  }

  /** Whether the block of `share` is here, or can be made. */
  gives(share: number): boolean {
    return this.has(share) || this.#goodCount >= this.#pack.shape.k;
  }

  async offer(share: number, bytes: Uint8Array): Promise<void> {
    if (await isBlock(bytes, this.block, share)) this.#found[share] = bytes;
  }

  async make(share: number): Promise<Uint8Array> {
    const there = this.#found[share];
    if (there !== undefined) return there;
    const { shape, stream, pack } = this.#pack;
    const what = `${stream} pack ${pack}, stripe at ${this.block.offset}`;
    if (!this.gives(share)) {
      const counts = `${this.#goodCount} good shares are at hand, ${shape.k} needed`;
      throw new MirrorError("SHARES_TOO_FEW", `${what}: ${counts}`);
    }
    const stored = await decodeBlocks(this.#found, shape, this.block.storedSizeBytes);
    const made = (await encodeBlocks(stored, shape))[share];
    if (made !== undefined && (await isBlock(made, this.block, share))) return made;
    const message = `${what}: share ${share} made from others is not the one that was published`;
    throw new MirrorError("BLOCK_CORRUPT", message);
  }

  get #goodCount(): number {
    return this.#found.filter((block) => block !== undefined).length;
  }
}

/** Asks every place that holds `share` for its blocks of `stripes`, until they have them. */
async function collect(
  stripes: readonly StripeBlocks[],
  from: RebuildOptions & { readonly pack: TruePack; readonly share: number },
): Promise<void> {
  const { pack, share, session, places, signal } = from;
  const file = packPath({ ...pack, share, session });
  for (const place of places.filter((one) => one.holds(share))) {
    const hungry = stripes.filter((stripe) => !stripe.has(share));
    if (hungry.length === 0) return;
    const thereBytes = (await place.size(file, signal)) ?? 0;
    const there = hungry.filter(({ block }) => block.offset + block.sizeBytes <= thereBytes);
    const range = rangeOf(there.map(({ block }) => block));
    const bytes = there.length === 0 ? undefined : await place.read(file, range, signal);
    if (bytes === undefined) continue;
    for (const stripe of there) await stripe.offer(share, cutBlock(bytes, range, stripe.block));
  }
}
