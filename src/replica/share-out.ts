/** Who makes what when several build the same. */
import { SMALL_PAGE_ENTRIES } from "../limits.js";
import { USE_FIRST, USE_LAST, USE_NEEDED } from "./plan.js";
import type { WorkPage } from "./work.js";

/** Shares the pages of a build out to some builders. */
export class ShareOut {
  readonly #builders: number;
  #turn = 0;

  constructor(builders: number) {
    this.#builders = builders;
  }

  /**
   * The page as it is for each of the builders, nothing for those that need nothing of it: runs of entries in turn, so that
   * all want what is fetched at about the same time. Of a file with several versions one builder makes them all.
   */
  pages(page: WorkPage): readonly (WorkPage | undefined)[] {
    const shares = Array.from({ length: this.#builders }, (_, builder) => {
      const uses = page.uses.map((use, at) => (this.#builderOf(use, at) === builder ? use : 0));
      return uses.some((use) => use !== 0) ? { ...page, uses } : undefined;
    });
    this.#turn += Math.ceil(page.uses.length / RUN_ENTRIES);
    return shares;
  }

  #builderOf(use: number, at: number): number {
    return use === ALONE ? (this.#turn + Math.floor(at / RUN_ENTRIES)) % this.#builders : 0;
  }
}

/** Of the only version of a file that a build makes: it wants nothing that another entry gives. */
const ALONE = USE_NEEDED | USE_FIRST | USE_LAST;

/** As many as the first pages of a set have: such a page is decoded by one builder only. */
const RUN_ENTRIES = SMALL_PAGE_ENTRIES;
