/** The published sets of a lineage as plans and builds read them. */
import { compareTreePaths, type TreePath } from "../bytes/tree-path.js";
import { formatSetName } from "../duplicity/names.js";
import { MirrorError } from "../errors.js";
import type { ContentsEntry } from "../manifest/contents.js";
import { decodeContentsPage } from "../manifest/contents.js";
import type { CodedFile } from "../manifest/file-table.js";
import { decodeFileTable } from "../manifest/file-table.js";
import type { LedgerLine } from "../manifest/ledger.js";
import type { LocatedFile } from "../retrieve/stripes.js";
import { EVERY_PAGE, type PageChoice } from "./page-choice.js";
import type { EntryUses } from "./plan.js";
import type { TableStore } from "./table-store.js";
import type { PlannedSet, VolumeOrigin } from "./work.js";

/**
 * A set's entries, from those pages of its contents that the store holds and `isWanted`; may be asked for again.
 * @throws MirrorError DOCUMENT_INVALID when they are not in index order
 */
export function* entriesOf(
  line: LedgerLine,
  tables: TableStore,
  isWanted: PageChoice = EVERY_PAGE,
): Generator<ContentsEntry> {
  let last: TreePath | undefined;
  for (const page of tables.pages(line, "contents", isWanted)) {
    let isFirst = true;
    for (const entry of decodeContentsPage(page)) {
      if (isFirst && last !== undefined && compareTreePaths(entry.path, last) <= 0) {
        throw new MirrorError(
          "DOCUMENT_INVALID",
          `contents of ${formatSetName(line.set)}: a page begins before the end of the page before it`,
        );
      }
      isFirst = false;
      last = entry.path;
      yield entry;
    }
  }
}

/** A set's files of a table that the store holds, in their order. */
export function* filesOf(
  line: LedgerLine,
  name: "volumes" | "records",
  tables: TableStore,
): Generator<CodedFile> {
  for (const page of tables.pages(line, name)) yield* decodeFileTable(page, line.shape);
}

/** Where the sets of a lineage lie. */
export interface SetPlace {
  readonly session: string;
  readonly chain: number;
  readonly originOf: (line: LedgerLine) => VolumeOrigin;
}

/** Joins a line with what a plan makes of it. */
export function plannedSet(options: {
  readonly line: LedgerLine;
  readonly uses: EntryUses;
  readonly tables: TableStore;
  readonly place: SetPlace;
}): PlannedSet {
  const { line, uses, tables, place } = options;
  const { session, chain } = place;
  const origin = place.originOf(line);
  const volumes = new VolumeTable(line, tables);
  // Building and fetching ask at different places, and compare by identity what they were given.
  const located = new Map<number, LocatedFile>();
  return {
    uses,
    pages: () => tables.pages(line, "contents"),
    volume: (number) => {
      const known = located.get(number);
      if (known !== undefined) return known;
      const file = volumes.find(number);
      const found = origin.locate({ session, chain, shape: line.shape, stream: "volumes", file });
      located.set(number, found);
      located.delete(number - LOCATED_MAX);
      return found;
    },
    origin,
  };
}

/** How many volumes fetching may be ahead of building: far more than the memory for their stripes. */
const LOCATED_MAX = 1024;

/** A set's volumes; the page used last is kept decoded. */
class VolumeTable {
  readonly #line: LedgerLine;
  readonly #tables: TableStore;
  #page = -1;
  readonly #files = new Map<number, CodedFile>();

  constructor(line: LedgerLine, tables: TableStore) {
    this.#line = line;
    this.#tables = tables;
  }

  find(number: number): CodedFile {
    const page = this.#pageOf(number);
    if (page !== this.#page) {
      this.#files.clear();
      const bytes = this.#tables.page(this.#line, "volumes", page);
      for (const file of decodeFileTable(bytes, this.#line.shape))
        this.#files.set(file.number, file);
      this.#page = page;
    }
    const file = this.#files.get(number);
    if (file !== undefined) return file;
    throw new MirrorError(
      "DOCUMENT_INVALID",
      `contents of ${formatSetName(this.#line.set)} name volume ${number}, its table does not`,
    );
  }

  #pageOf(number: number): number {
    const table = this.#line.volumes;
    if (table.kind === "inline") return 0;
    return Math.max(
      0,
      table.pages.findLastIndex((page) => Number(page.first) <= number),
    );
  }
}
