/** One stripe on its way: the good blocks so far, and what became of every other attempt. */
import { equalBytes, sha256Async } from "../bytes/digest.js";
import { decodeBlocks } from "../erasure/codec.js";
import { decompressStripe } from "../erasure/stripe.js";
import { type ErrorCode, isMirrorError, MirrorError } from "../errors.js";
import { blockHash } from "../manifest/file-table.js";
import type { RunItem } from "./plan-runs.js";

/** Where a block was looked for, in vain. */
export interface Refusal {
  readonly share: number;
  /** The source's number in its pool. */
  readonly source: number;
  readonly code: ErrorCode;
  /** Whether it was asked for with retries. */
  readonly wasPatient: boolean;
}

export class Gathering {
  readonly item: RunItem;
  readonly #blocks: (Uint8Array | undefined)[];
  readonly #refusals = new Map<string, Refusal>();
  #goodCount = 0;

  constructor(item: RunItem) {
    this.item = item;
    this.#blocks = new Array<Uint8Array | undefined>(item.request.file.shape.n).fill(undefined);
  }

  get missingCount(): number {
    return this.item.request.file.shape.k - this.#goodCount;
  }

  /** Stripes with equal keys have the same shares, and were refused the same. */
  get key(): string {
    if (this.#goodCount === 0 && this.#refusals.size === 0) return "";
    const held = this.#blocks.map((block) => (block === undefined ? "-" : "+")).join("");
    return `${held}${[...this.#refusals.keys()].join()}`;
  }

  has(share: number): boolean {
    return this.#blocks[share] !== undefined;
  }

  refusal(share: number, source: number): Refusal | undefined {
    return this.#refusals.get(`${share}@${source}`);
  }

  get refusals(): Iterable<Refusal> {
    return this.#refusals.values();
  }

  refuse(refusal: Refusal): void {
    this.#refusals.set(`${refusal.share}@${refusal.source}`, refusal);
  }

  /** Takes `block` if it is the one that was published, and says whether it is. */
  async offer(share: number, block: Uint8Array): Promise<boolean> {
    if (!(await this.#isPublished(share, block))) return false;
    if (!this.has(share)) this.#goodCount++;
    this.#blocks[share] = block;
    return true;
  }

  /** The stripe itself, once no block is missing. The blocks are let go. */
  async finish(): Promise<Uint8Array> {
    const { stripe, rawSizeBytes, request } = this.item;
    const blocks = this.#blocks.splice(0);
    try {
      const stored = await decodeBlocks(blocks, request.file.shape, stripe.storedSizeBytes);
      await this.#checkMade(blocks, stored);
      return await decompressStripe(stripe.compression, stored, rawSizeBytes);
    } catch (error) {
      if (!isMirrorError(error)) throw error;
      const message = `${this.name}, published as it is: ${error.message}`;
      throw new MirrorError(error.code, message, { cause: error });
    }
  }

  /** A data block that was made from others must be the one that was published, as if it had been read. */
  async #checkMade(blocks: readonly (Uint8Array | undefined)[], stored: Uint8Array): Promise<void> {
    const { blockSizeBytes, request } = this.item;
    for (let share = 0; share < request.file.shape.k; share++) {
      if (blocks[share] !== undefined) continue;
      const block = new Uint8Array(blockSizeBytes);
      block.set(stored.subarray(share * blockSizeBytes, (share + 1) * blockSizeBytes));
      if (await this.#isPublished(share, block)) continue;
      const others = [...blocks.keys()].filter((other) => blocks[other] !== undefined);
      throw new MirrorError(
        "BLOCK_CORRUPT",
        `share ${share} made from shares ${others.join(" ")} is not the share ${share} that was ` +
          "published: the master coded it wrong. Until it publishes a new full set, the data shares are needed",
      );
    }
  }

  async #isPublished(share: number, block: Uint8Array): Promise<boolean> {
    return equalBytes(await sha256Async(block), blockHash(this.item.stripe, share));
  }

  get name(): string {
    const { file, stripe } = this.item.request;
    return `${file.file.name} stripe ${stripe}`;
  }
}
