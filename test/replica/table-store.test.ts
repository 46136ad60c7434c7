import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodeContentsPage } from "../../src/manifest/contents.js";
import type { LedgerLine, PageReference } from "../../src/manifest/ledger.js";
import { parseLedgerLine } from "../../src/manifest/ledger.js";
import { ledgerPath, tablePath } from "../../src/manifest/paths.js";
import { entriesOf } from "../../src/replica/sets.js";
import { TableStore } from "../../src/replica/table-store.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { directoryEntry, linkEntry } from "./support/entries.js";
import { model } from "./support/model.js";
import { SESSION, TestPublication } from "./support/publication.js";
import { watchedPool } from "./support/sources.js";

const NAMES = ["", "a", "b", "c", "d", "e", "f", "g"];
const ENTRIES = NAMES.map((name) => directoryEntry(name));

describe("the pages of a table", () => {
  test("that lie side by side are read with one request, and only once", async () => {
    const { store, line, reads } = await makeBench(ENTRIES, 2);
    await store.prepare(line, "contents", () => true, SIGNAL);
    await store.prepare(line, "contents", () => true, SIGNAL);
    expect(names(store, line)).toEqual(NAMES);
    expect(reads.map(({ range }) => range)).toEqual([{ offset: 0, sizeBytes: sizeOf(line, 0, 4) }]);
  });

  test("that are not wanted are not read; what is missing is read later", async () => {
    const { store, line, reads } = await makeBench(ENTRIES, 2);
    await store.prepare(line, "contents", ({ first }) => first === "b" || first === "f", SIGNAL);
    expect(names(store, line)).toEqual(["b", "c", "f", "g"]);
    await store.prepare(line, "contents", () => true, SIGNAL);
    expect(names(store, line)).toEqual(NAMES);
    expect(reads.map(({ range }) => range)).toEqual([
      { offset: sizeOf(line, 0, 1), sizeBytes: sizeOf(line, 1, 2) },
      { offset: sizeOf(line, 0, 3), sizeBytes: sizeOf(line, 3, 4) },
      { offset: 0, sizeBytes: sizeOf(line, 0, 1) },
      { offset: sizeOf(line, 0, 2), sizeBytes: sizeOf(line, 2, 3) },
    ]);
  });

  test("are chosen by where they begin and where the next begins", async () => {
    const { store, line } = await makeBench(ENTRIES, 4);
    const asked: (readonly [string, string | undefined])[] = [];
    const isWanted = (page: PageReference, next: PageReference | undefined) => {
      asked.push([page.first, next?.first]);
      return false;
    };
    await store.prepare(line, "contents", isWanted, SIGNAL);
    expect(asked).toEqual([
      ["", "d"],
      ["d", undefined],
    ]);
  });

  test("in the ledger line are read from nowhere", async () => {
    const { store, line, reads } = await makeBench(ENTRIES, undefined);
    await store.prepare(line, "contents", () => true, SIGNAL);
    expect(names(store, line)).toEqual(NAMES);
    expect(reads).toEqual([]);
  });

  test("that are not what the ledger says are refused", async () => {
    const { store, line, file } = await makeBench(ENTRIES, 2);
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(file, bytes);
    await expect(store.prepare(line, "contents", () => true, SIGNAL)).rejects.toMatchObject({
      code: "DOCUMENT_INVALID",
    });
    expect(names(store, line)).toEqual([]);
  });

  test("that are not published are made here, once", async () => {
    const { store, line, described } = await makeBench(ENTRIES, undefined);
    const unpublished: LedgerLine = { ...line, contents: undefined };
    await store.prepare(unpublished, "contents", () => true, SIGNAL);
    await store.prepare(unpublished, "contents", () => true, SIGNAL);
    expect(names(store, unpublished)).toEqual(NAMES);
    expect(described).toEqual([unpublished]);
  });

  test("that were not prepared are not there", async () => {
    const { store, line } = await makeBench(ENTRIES, 2);
    expect(() => store.page(line, "contents", 1)).toThrow(
      expect.objectContaining({ code: "DOCUMENT_INVALID" }),
    );
  });

  test("that memory should not hold are spilled, and read from there in order", async () => {
    const large = Array.from({ length: 50 }, (_, at) =>
      linkEntry(String(at + 100), "x".repeat(1_000_000)),
    );
    const { store, line, spill } = await makeBench(large, 1);
    await store.prepare(line, "contents", () => true, SIGNAL);
    expect(readdirSync(spill).length).toBeGreaterThan(10);
    const found = [...store.pages(line, "contents")];
    expect(found.length).toBe(50);
    expect(Buffer.from(found.at(-1) ?? [])).toEqual(
      Buffer.from(encodeContentsPage(large.slice(-1))),
    );
  });
});

const { signal: SIGNAL } = new AbortController();

async function makeBench(
  entries: Parameters<TestPublication["addRaw"]>[0]["entries"],
  pageEntries: number | undefined,
) {
  const folder = fastTemporaryFolder();
  const options = pageEntries === undefined ? {} : { pageEntries };
  const publication = new TestPublication(`${folder}/publication`, options);
  const set = publication.nextFull();
  await publication.addRaw({ set, entries, volumes: [] }, model({}));
  const line = parseLedgerLine(
    readFileSync(`${publication.folder}/${ledgerPath(SESSION, set.time)}`),
  );
  const { pool, reads } = watchedPool([publication.folder]);
  const spill = fastTemporaryFolder();
  const described: LedgerLine[] = [];
  const store = new TableStore({
    pool,
    session: SESSION,
    spillFolder: spill,
    describe: async function* (line) {
      described.push(line);
      yield await Promise.resolve(encodeContentsPage(ENTRIES.slice(0, 4)));
      yield encodeContentsPage(ENTRIES.slice(4));
    },
  });
  const file = `${publication.folder}/${tablePath("contents", SESSION, set)}`;
  return { store, line, reads, spill, file, described };
}

function names(store: TableStore, line: LedgerLine): string[] {
  return [...entriesOf(line, store)].map(({ path }) => path);
}

/** Of the pages from `start` to before `end`. */
function sizeOf({ contents }: LedgerLine, start: number, end: number): number {
  const pages = contents?.kind === "paged" ? contents.pages : [];
  return pages.slice(start, end).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
