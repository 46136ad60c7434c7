import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Head, LedgerReference } from "../../src/manifest/head.js";
import { parseHead } from "../../src/manifest/head.js";
import { parseVerifierKey } from "../../src/manifest/keys.js";
import { ledgerPath } from "../../src/manifest/paths.js";
import { openNote } from "../../src/manifest/signed-note.js";
import { readLedger } from "../../src/replica/ledger-copy.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { changed, file, model } from "./support/model.js";
import { KEYS, publishHistory, SESSION, type TestPublication } from "./support/publication.js";
import { watchedPool } from "./support/sources.js";

const FIRST = model({ a: file("a") });
const SECOND = changed(FIRST, { b: file("b") });
const THIRD = changed(SECOND, { c: file("c") });

describe("the copy of a ledger", () => {
  test("grows by what a newer head adds, and reads nothing twice", async () => {
    const bench = await makeBench();
    expect(await bench.read(0)).toHaveLength(1);
    expect(await bench.read(2)).toHaveLength(3);
    expect(await bench.read(2)).toHaveLength(3);
    const sizes = [0, 2].map((at) => bench.reference(at).sizeBytes);
    expect(bench.reads.map(({ range }) => range)).toEqual([
      { offset: 0, sizeBytes: sizes[0] },
      { offset: sizes[0], sizeBytes: (sizes[1] ?? 0) - (sizes[0] ?? 0) },
    ]);
    expect(readFileSync(bench.file)).toEqual(readFileSync(bench.published));
  });

  test("gives up a torn tail, whatever is left of it", async () => {
    const bench = await makeBench();
    await bench.read(1);
    const whole = readFileSync(bench.file);
    for (let size = 0; size < whole.length; size += 7) {
      writeFileSync(bench.file, whole.subarray(0, size));
      expect(await bench.read(2)).toHaveLength(3);
    }
    writeFileSync(bench.file, Buffer.concat([whole, Buffer.from("torn")]));
    expect(await bench.read(2)).toHaveLength(3);
    expect(readFileSync(bench.file)).toEqual(readFileSync(bench.published));
  });

  test("gives up a tail with holes, wherever they are", async () => {
    const bench = await makeBench();
    await bench.read(0);
    const before = readFileSync(bench.file).length;
    await bench.read(1);
    const whole = readFileSync(bench.file);
    for (let size = before; size < whole.length; size += 7) {
      writeFileSync(bench.file, Buffer.from(whole).fill(0, size, size + 3));
      expect(await bench.read(2)).toHaveLength(3);
    }
    expect(readFileSync(bench.file)).toEqual(readFileSync(bench.published));
  });

  test("is not believed against a head that names another past", async () => {
    const bench = await makeBench();
    await bench.read(2);
    await expect(bench.read(1)).rejects.toMatchObject({ code: "LEDGER_INVALID" });
    const other = { ...bench.reference(2), lastLineHash: "A".repeat(43) };
    await expect(bench.readTo(other)).rejects.toMatchObject({ code: "LEDGER_INVALID" });
  });

  test("is refused when lines before its end were changed", async () => {
    const bench = await makeBench();
    await bench.read(1);
    const text = readFileSync(bench.file, "utf8");
    writeFileSync(bench.file, text.replace('"k":2', '"k":1'));
    await expect(bench.read(2)).rejects.toMatchObject({ code: "DISK_FAILED" });
  });

  test("is not continued by lines that do not follow it", async () => {
    const bench = await makeBench();
    await bench.read(0);
    const before = readFileSync(bench.file);
    const published = readFileSync(bench.published, "utf8");
    writeFileSync(bench.published, published.replaceAll('"n":3', '"n":4'));
    await expect(bench.read(2)).rejects.toMatchObject({ code: "LEDGER_INVALID" });
    expect(readFileSync(bench.file)).toEqual(before);
  });

  test("is not continued by a source that has less, and by none without sources", async () => {
    const bench = await makeBench();
    truncateSync(bench.published, bench.reference(1).sizeBytes);
    await expect(bench.read(2)).rejects.toMatchObject({ code: "NO_SOURCE" });
    rmSync(bench.published);
    await expect(bench.read(0)).rejects.toMatchObject({ code: "NO_SOURCE" });
  });

  test("reads no further than the head says, however much there is", async () => {
    const bench = await makeBench();
    appendFileSync(bench.published, "beyond");
    expect(await bench.read(2)).toHaveLength(3);
  });
});

async function makeBench() {
  const folder = fastTemporaryFolder();
  const publication = await publishHistory(`${folder}/publication`, [FIRST, SECOND, THIRD]);
  const { pool, reads } = watchedPool([publication.folder]);
  const copy = `${folder}/copy.jsonl`;
  const reference = (at: number) => ledgerOf(headOf(publication, at));
  const signal = new AbortController().signal;
  const readTo = (to: LedgerReference) =>
    readLedger({ file: copy, session: SESSION, reference: to, pool, signal });
  const { chain } = reference(0);
  return {
    file: copy,
    published: `${publication.folder}/${ledgerPath(SESSION, chain)}`,
    reads,
    reference,
    readTo,
    read: (at: number) => readTo(reference(at)),
  };
}

function headOf(publication: TestPublication, at: number): Head {
  const note = publication.heads[at] ?? new Uint8Array();
  return parseHead(openNote(note, [parseVerifierKey(KEYS.verifierKey)]));
}

function ledgerOf({ ledgers }: Head): LedgerReference {
  const [ledger] = ledgers;
  if (ledger === undefined) throw new Error("a head has a ledger");
  return ledger;
}
