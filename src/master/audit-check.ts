/** Holds one place against what was published: every file by its size, documents whole, blocks and pages by choice. */
import { equalBytes } from "../bytes/digest.js";
import type { SigningKey } from "../manifest/keys.js";
import { HEAD_PATH, KEY_PATH, packPath } from "../manifest/paths.js";
import type { ByteRange } from "../store/source.js";
import { cutBlock, isBlock, joinBlocks, rangeOf } from "./audit-blocks.js";
import type { Place } from "./audit-place.js";
import type { AuditFinding, FindingKind } from "./audit-report.js";
import {
  endOf,
  listTables,
  readHeadBytes,
  readPacks,
  readPage,
  type TrueBlock,
  type TruePack,
  type TrueTable,
  type Truth,
} from "./audit-truth.js";
import { openOwnHead } from "./own-head.js";

export interface CheckOptions {
  readonly truth: Truth;
  readonly key: SigningKey;
  /** Where tables are read that say which blocks there are. */
  readonly places: readonly Place[];
  /** Whether to read block number `position` of this share. */
  readonly wantsBlock: (share: number, position: number) => boolean;
  readonly wantsPage: (position: number) => boolean;
  readonly signal: AbortSignal;
}

/** What is wrong with one place. A file has one finding: the first. */
export class PlaceCheck {
  readonly place: Place;
  readonly #options: CheckOptions;
  readonly #findings = new Map<string, AuditFinding>();
  #files = 0;
  #blocks = 0;
  #bytes = 0;

  constructor(place: Place, options: CheckOptions) {
    this.place = place;
    this.#options = options;
  }

  get findings(): readonly AuditFinding[] {
    const { failure } = this.place;
    const found = [...this.#findings.values()];
    if (failure === undefined) return found;
    const unreachable = { path: "", detail: failure.message, isRepaired: false } as const;
    return [{ kind: "unreachable", ...unreachable }, ...found];
  }

  get checked(): { readonly files: number; readonly blocks: number; readonly bytes: number } {
    return { files: this.#files, blocks: this.#blocks, bytes: this.#bytes };
  }

  /** Whether something is wrong with the file, still. */
  lacks(path: string): boolean {
    return this.#findings.get(path)?.isRepaired === false;
  }

  /** Whether nothing is wrong with any other file. */
  lacksOnly(path: string): boolean {
    const others = [...this.#findings.values()].filter((finding) => finding.path !== path);
    return others.every(({ isRepaired }) => isRepaired);
  }

  /** Says what became of the file that the finding is about. */
  settle(path: string, outcome: Pick<AuditFinding, "isRepaired" | "error" | "isLost">): void {
    const finding = this.#findings.get(path);
    if (finding !== undefined) this.#findings.set(path, { ...finding, ...outcome });
  }

  async run(): Promise<void> {
    await this.#checkPacks();
    await this.#checkTables();
    for (const { ledgerPath, ledgerBytes } of this.#options.truth.chains) {
      await this.#checkDocument(ledgerPath, ledgerBytes);
    }
    await this.#checkDocument(KEY_PATH, this.#options.truth.keyBytes);
    await this.#checkHead();
  }

  /** Whether the file is right now, all of it. */
  async isPackGood(pack: TruePack, share: number): Promise<boolean> {
    return this.#isGood((again) => again.#checkBlocks(pack, share, pack.blocks));
  }

  async isTableGood(table: TrueTable): Promise<boolean> {
    return this.#isGood((again) => again.#checkPages(table.pages));
  }

  async isDocumentGood(path: string, expected: Uint8Array): Promise<boolean> {
    return this.#isGood((again) => again.#checkDocument(path, expected));
  }

  async #isGood(check: (again: PlaceCheck) => Promise<void>): Promise<boolean> {
    const again = new PlaceCheck(this.place, this.#options);
    await check(again);
    return again.findings.length === 0;
  }

  async #checkPacks(): Promise<void> {
    const { truth, places, wantsBlock, signal } = this.#options;
    let position = 0;
    for await (const pack of readPacks(truth, places, signal)) {
      const first = position;
      position += pack.blocks.length;
      for (let share = 0; share < pack.shape.n; share++) {
        if (!this.place.holds(share) || this.place.failure !== undefined) continue;
        const isThere = await this.#checkSize(this.#pathOf(pack, share), endOf(pack));
        if (!isThere) continue;
        const wanted = pack.blocks.filter((_, at) => wantsBlock(share, first + at));
        await this.#checkBlocks(pack, share, wanted);
      }
    }
  }

  /** Blocks that lie one behind the other are read together. */
  async #checkBlocks(pack: TruePack, share: number, blocks: readonly TrueBlock[]): Promise<void> {
    const path = this.#pathOf(pack, share);
    for (const run of joinBlocks(blocks)) {
      const range = rangeOf(run);
      const bytes = await this.#read(path, range);
      if (bytes === undefined) {
        this.#find("rotten", path, `${range.sizeBytes} bytes at ${range.offset} cannot be read`);
        return;
      }
      for (const block of run) {
        this.#blocks += 1;
        if (await isBlock(cutBlock(bytes, range, block), block, share)) continue;
        this.#find(
          "rotten",
          path,
          `the block at ${block.offset} is not the one that was published`,
        );
      }
    }
  }

  async #checkTables(): Promise<void> {
    const { truth, wantsPage } = this.#options;
    let position = 0;
    for (const { path, sizeBytes, pages } of listTables(truth)) {
      const first = position;
      position += pages.length;
      if (!(await this.#checkSize(path, sizeBytes))) continue;
      await this.#checkPages(pages.filter((_, at) => wantsPage(first + at)));
    }
  }

  async #checkPages(pages: TrueTable["pages"]): Promise<void> {
    for (const page of pages) {
      this.#bytes += page.sizeBytes;
      const isThere = (await readPage([this.place], page, this.#options.signal)) !== undefined;
      if (isThere) continue;
      const detail = `the page at ${page.offset} is not the one that was published`;
      this.#find("rotten", page.path, detail);
    }
  }

  async #checkDocument(path: string, expected: Uint8Array): Promise<void> {
    if (!(await this.#checkSize(path, expected.length))) return;
    const bytes = await this.#read(path, { offset: 0, sizeBytes: expected.length });
    if (bytes !== undefined && equalBytes(bytes, expected)) return;
    this.#find("rotten", path, "it is not what was published");
  }

  async #checkHead(): Promise<void> {
    const { truth, key } = this.#options;
    const bytes = await readHeadBytes(this.place, this.#options.signal);
    this.#files += 1;
    if (bytes !== undefined && equalBytes(bytes, truth.headBytes)) return;
    if (bytes === undefined) {
      this.#find("missing", HEAD_PATH, "there is no head");
      return;
    }
    const there = openOwnHead(bytes, key);
    if (there === undefined) this.#find("rotten", HEAD_PATH, "it is no head that our key signed");
    else {
      const detail = `generation ${there.generation}, expected ${truth.head.generation}`;
      this.#find("stale", HEAD_PATH, detail);
    }
  }

  /** @returns whether the file is there, and long enough */
  async #checkSize(path: string, sizeBytes: number): Promise<boolean> {
    const there = await this.place.size(path, this.#options.signal);
    this.#files += 1;
    if (there === undefined) this.#find("missing", path, `${sizeBytes} bytes`);
    else if (there < sizeBytes) this.#find("short", path, `${there} bytes of ${sizeBytes}`);
    return there !== undefined && there >= sizeBytes;
  }

  async #read(path: string, range: ByteRange): Promise<Uint8Array | undefined> {
    this.#bytes += range.sizeBytes;
    return this.place.read(path, range, this.#options.signal);
  }

  /** What a place that does not answer seems to lack says nothing. */
  #find(kind: FindingKind, path: string, detail: string): void {
    if (this.place.failure !== undefined || this.#findings.has(path)) return;
    this.#findings.set(path, { kind, path, detail, isRepaired: false });
  }

  #pathOf({ chain, stream, pack }: TruePack, share: number): string {
    const { session } = this.#options.truth.head;
    return packPath({ share, session, chain, stream, pack });
  }
}
