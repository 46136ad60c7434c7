/**
 * Makes good what a check found at a place, byte for byte. A pack or a table is made whole in the state directory before
 * anything at the place is touched; the head comes last, and only when all that it names is there.
 */
import path from "node:path";
import { makeFolder, removeFile, writeAt } from "../disk/durable.js";
import { readRange } from "../disk/files.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { HEAD_PATH, KEY_PATH, packPath } from "../manifest/paths.js";
import type { Host, HostContent } from "../store/host.js";
import type { PlaceCheck } from "./audit-check.js";
import type { Place } from "./audit-place.js";
import { rebuildBlocks } from "./audit-rebuild.js";
import {
  endOf,
  listTables,
  readPacks,
  readPage,
  type TruePack,
  type TrueTable,
  type Truth,
} from "./audit-truth.js";

export interface RepairOptions {
  readonly truth: Truth;
  /** Where good copies and shares are looked for. */
  readonly places: readonly Place[];
  readonly stateDirectory: string;
  readonly signal: AbortSignal;
}

/** What could not be made good is said in the findings of `check`. */
export class PlaceRepair {
  readonly #check: PlaceCheck;
  readonly #options: RepairOptions;
  readonly #scratch: string;

  constructor(check: PlaceCheck, options: RepairOptions) {
    this.#check = check;
    this.#options = options;
    this.#scratch = path.join(options.stateDirectory, "audit", "file");
  }

  async run(): Promise<void> {
    makeFolder(path.dirname(this.#scratch));
    await this.#repairPacks();
    await this.#repairTables();
    removeFile(this.#scratch);
    const { chains, keyBytes, headBytes } = this.#options.truth;
    for (const { ledgerPath, ledgerBytes } of chains) {
      await this.#repairDocument(ledgerPath, ledgerBytes, (host, given) =>
        host.put(ledgerPath, contentOf(ledgerBytes), given),
      );
    }
    await this.#repairDocument(KEY_PATH, keyBytes, (host, given) =>
      host.replace(KEY_PATH, keyBytes, given),
    );
    if (!this.#check.lacksOnly(HEAD_PATH)) return;
    await this.#repairDocument(HEAD_PATH, headBytes, (host, given) =>
      host.replace(HEAD_PATH, headBytes, given),
    );
  }

  async #repairPacks(): Promise<void> {
    const { truth, places, signal } = this.#options;
    for await (const pack of readPacks(truth, places, signal)) {
      for (let share = 0; share < pack.shape.n; share++) {
        const file = packPath({ ...pack, share, session: truth.head.session });
        await this.#repair(file, {
          work: () => this.#rebuildPack(pack, share, file),
          isGood: () => this.#check.isPackGood(pack, share),
        });
      }
    }
  }

  async #rebuildPack(pack: TruePack, share: number, file: string): Promise<void> {
    const { truth, places, signal } = this.#options;
    if (!pack.isWhole) throw lost(`${file}: a page that says what is in it is lost`);
    removeFile(this.#scratch);
    const { session } = truth.head;
    for await (const { offset, bytes } of rebuildBlocks(pack, share, { session, places, signal })) {
      writeAt(this.#scratch, offset, bytes);
    }
    await this.#putScratch(file, endOf(pack));
  }

  async #repairTables(): Promise<void> {
    for (const table of listTables(this.#options.truth)) {
      await this.#repair(table.path, {
        work: () => this.#rebuildTable(table),
        isGood: () => this.#check.isTableGood(table),
      });
    }
  }

  async #rebuildTable({ path: file, sizeBytes, pages }: TrueTable): Promise<void> {
    const { places, signal } = this.#options;
    removeFile(this.#scratch);
    for (const page of pages) {
      const bytes = await readPage(places, page, signal);
      if (bytes === undefined) throw lost(`${file}: no place has the page at ${page.offset}`);
      writeAt(this.#scratch, page.offset, bytes);
    }
    await this.#putScratch(file, sizeBytes);
  }

  async #repairDocument(
    file: string,
    bytes: Uint8Array,
    put: (host: Host, given: { readonly signal: AbortSignal }) => Promise<void>,
  ): Promise<void> {
    const { signal } = this.#options;
    await this.#repair(file, {
      work: () => this.#check.place.ask((host) => put(host, { signal }), signal),
      isGood: () => this.#check.isDocumentGood(file, bytes),
    });
  }

  /** Where there is something to repair, and somebody to take it. */
  async #repair(
    file: string,
    {
      work,
      isGood,
    }: { readonly work: () => Promise<unknown>; readonly isGood: () => Promise<boolean> },
  ): Promise<void> {
    const { place } = this.#check;
    const failure = (): string | undefined => place.failure?.message;
    if (!this.#check.lacks(file) || failure() !== undefined) return;
    try {
      await work();
      const isRepaired = await isGood();
      const error = failure() ?? "what was put is not what is there";
      this.#check.settle(file, isRepaired ? { isRepaired } : { isRepaired, error });
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
      const isLost = isMirrorError(error, "SHARES_TOO_FEW", "BLOCK_CORRUPT");
      const outcome = { isRepaired: false, error: error.message };
      this.#check.settle(file, isLost ? { ...outcome, isLost } : outcome);
    }
  }

  async #putScratch(file: string, sizeBytes: number): Promise<void> {
    const { signal } = this.#options;
    const content: HostContent = {
      sizeBytes,
      heldBytes: 0,
      read: (range, into) => {
        const options = into === undefined ? { signal } : { into, signal };
        return readRange(this.#scratch, range.offset, range.sizeBytes, options);
      },
    };
    const { place } = this.#check;
    await place.ask(async (host) => {
      const thereBytes = (await host.size(file, { signal })) ?? 0;
      // What is longer is no file of ours; in the publication it may hold what waits for its head.
      if (thereBytes > sizeBytes && !place.isPublication) await host.remove(file, { signal });
      await host.put(file, content, { signal });
    }, signal);
  }
}

function contentOf(bytes: Uint8Array): HostContent {
  const read: HostContent["read"] = ({ offset, sizeBytes }) =>
    Promise.resolve(bytes.subarray(offset, offset + sizeBytes));
  return { sizeBytes: bytes.length, heldBytes: 0, read };
}

function lost(message: string): MirrorError {
  return new MirrorError("SHARES_TOO_FEW", message);
}
