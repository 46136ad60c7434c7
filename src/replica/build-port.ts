/** Where a build works: small ones here, large ones in threads of their own, beside fetching and decoding. */
import type { TreePath } from "../bytes/tree-path.js";
import type { ReplicaMirror } from "../config/replica.js";
import type { ConfinedTree } from "../disk/confined.js";
import { Builder, type SpecialStep } from "./builder.js";
import { ownerPolicy } from "./owners.js";
import type { SetChunk, WorkPage } from "./work.js";

export interface BuildPort {
  /** Comes before the chunks that its entries want. */
  addPage(page: WorkPage): void;
  /** Resolves to the bytes staged so far once there is room for another chunk; `bytes` may then be reused. */
  feed(chunk: SetChunk): Promise<number>;
  /** After the last chunk. @throws MirrorError what the build met */
  finish(): Promise<BuildResult>;
}

export interface BuildResult {
  readonly damaged: readonly TreePath[];
  readonly specials: readonly SpecialStep[];
  readonly skipped: readonly TreePath[];
}

/** A build in the thread that calls. */
export class LocalPort implements BuildPort {
  readonly #builder: Builder;

  constructor(tree: ConfinedTree, owners: ReplicaMirror["owners"]) {
    this.#builder = new Builder({
      tree,
      ownerOf: ownerPolicy(owners),
      number: 0,
    });
  }

  addPage(page: WorkPage): void {
    this.#builder.addPage(page);
  }

  feed(chunk: SetChunk): Promise<number> {
    this.#builder.feed(chunk);
    return Promise.resolve(this.#builder.doneBytes);
  }

  finish(): Promise<BuildResult> {
    this.#builder.finish();
    const { damaged, specials, skipped } = this.#builder;
    return Promise.resolve({ damaged, specials, skipped });
  }

  /** Gives up what is being made; safe after `finish`. */
  close(): void {
    this.#builder.close();
  }
}
