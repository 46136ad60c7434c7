/**
 * Walks a publication from its head as a stranger would: every hash is verified, and every file is put together again from
 * k shares chosen at random and compared with the repository's. Throws at the first thing that is wrong.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { sha256, toBase64url } from "../../../src/bytes/digest.js";
import { compareTreePaths } from "../../../src/bytes/tree-path.js";
import { formatSetName } from "../../../src/duplicity/names.js";
import { blockSize, decodeBlocks } from "../../../src/erasure/codec.js";
import { decompressStripe, stripeSize } from "../../../src/erasure/stripe.js";
import { decodeContentsPage } from "../../../src/manifest/contents.js";
import {
  type CodedFile,
  decodeFileTable,
  stripeOffsets,
} from "../../../src/manifest/file-table.js";
import { type Head, parseHead } from "../../../src/manifest/head.js";
import { FIRST_LINE_PREVIOUS, joinLedger, type LedgerLine } from "../../../src/manifest/ledger.js";
import { lineageOf } from "../../../src/manifest/lineage.js";
import { ledgerPath, packPath, type Stream, tablePath } from "../../../src/manifest/paths.js";
import { openNote } from "../../../src/manifest/signed-note.js";
import { hashPage, unpackPage } from "../../../src/manifest/table.js";
import type { Random } from "../../support/random.js";
import { VERIFIER } from "./master-bench.js";

export interface CheckedPublication {
  readonly head: Head;
  /** Names of the sets of the newest chain that lead to the newest set. */
  readonly lineage: readonly string[];
  /** Names of all published sets. */
  readonly sets: readonly string[];
  /** Of those, the ones that no tree is brought to. */
  readonly withheld: readonly string[];
}

interface Place {
  readonly folders: readonly string[];
  /** Those that the folders hold; all by default. */
  readonly shares?: readonly number[];
  readonly repository: string;
  readonly random: Random;
}

/** @param place.folders the publication, or hosts that hold k shares among them */
export async function checkPublication(place: Place): Promise<CheckedPublication> {
  const [first = ""] = place.folders;
  const head = readHead(first);
  const sets: string[] = [];
  const withheld: string[] = [];
  let lineage: string[] = [];
  for (const { chain, sizeBytes, lastLineHash } of head.ledgers) {
    const bytes = readFileSync(path.join(first, ledgerPath(head.session, chain)));
    assert.ok(bytes.length >= sizeBytes, "a ledger is shorter than the head says");
    const lines = joinLedger({
      bytes: bytes.subarray(0, sizeBytes),
      previous: FIRST_LINE_PREVIOUS,
      last: lastLineHash,
    });
    for (const line of lines) {
      await checkSet(place, { session: head.session, chain }, line);
      sets.push(formatSetName(line.set));
      if (line.isWithheld === true) withheld.push(formatSetName(line.set));
    }
    if (chain === head.newest.chain) {
      lineage = lineageOf(lines, head.newest.set).map((line) => formatSetName(line.set));
    }
  }
  return { head, lineage, sets, withheld };
}

export function readHead(folder: string): Head {
  return parseHead(openNote(readFileSync(path.join(folder, "head")), [VERIFIER]));
}

interface SetPlace {
  readonly session: string;
  readonly chain: number;
}

async function checkSet(place: Place, set: SetPlace, line: LedgerLine): Promise<void> {
  for (const stream of ["volumes", "records"] as const) {
    for (const page of await readTable(place, set, { line, table: stream })) {
      for (const file of decodeFileTable(page, line.shape)) {
        await checkFile(place, { ...set, stream, line }, file);
        const isManifest = file.role === "manifest";
        if (isManifest) assert.equal(toBase64url(file.hash), line.manifestHash);
      }
    }
  }
  let entryCount = 0;
  let before: string | undefined;
  for (const page of await readTable(place, set, { line, table: "contents" })) {
    for (const { path: entry } of decodeContentsPage(page)) {
      entryCount += 1;
      if (before !== undefined) assert.ok(compareTreePaths(toPath(before), entry) < 0);
      before = entry;
    }
  }
  assert.equal(entryCount, line.entryCount);
}

type AnyPath = Parameters<typeof compareTreePaths>[0];

function toPath(text: string): AnyPath {
  return text as AnyPath;
}

async function readTable(
  { folders }: Place,
  { session }: SetPlace,
  { line, table }: { line: LedgerLine; table: "volumes" | "records" | "contents" },
): Promise<Uint8Array[]> {
  const written = line[table];
  if (written === undefined) return [];
  if (written.kind === "inline") return [await unpackPage(written.bytes)];
  const pages: Uint8Array[] = [];
  let offset = 0;
  for (const { sizeBytes, hash } of written.pages) {
    const file = path.join(folders[0] ?? "", tablePath(table, session, line.set));
    const page = readFileSync(file).subarray(offset, offset + sizeBytes);
    assert.equal(hashPage(page), hash);
    pages.push(await unpackPage(page));
    offset += sizeBytes;
  }
  return pages;
}

async function checkFile(
  place: Place,
  set: SetPlace & { stream: Stream; line: LedgerLine },
  file: CodedFile,
): Promise<void> {
  const { shape } = set.line;
  const parts: Uint8Array[] = [];
  const offsets = stripeOffsets(file, shape);
  for (const [stripe, { storedSizeBytes, compression, blockHashes }] of file.stripes.entries()) {
    const sizeBytes = blockSize(storedSizeBytes, shape.k);
    const blocks: (Uint8Array | undefined)[] = Array.from({ length: shape.n }, () => undefined);
    for (const share of chooseShares(place, shape)) {
      const pack = packPath({ ...set, share, pack: file.pack });
      const offset = offsets[stripe] ?? 0;
      const block = readFromAny(place.folders, pack).subarray(offset, offset + sizeBytes);
      assert.deepEqual(
        sha256(block),
        Buffer.from(blockHashes.subarray(share * 32, share * 32 + 32)),
      );
      blocks[share] = block;
    }
    const stored = await decodeBlocks(blocks, shape, storedSizeBytes);
    parts.push(await decompressStripe(compression, stored, stripeSize(file, stripe)));
  }
  const bytes = Buffer.concat(parts);
  assert.deepEqual(Buffer.from(sha256(bytes)), Buffer.from(file.hash));
  assert.ok(bytes.equals(readFileSync(path.join(place.repository, file.name))), file.name);
}

function chooseShares(place: Place, { k, n }: { k: number; n: number }): number[] {
  const { random } = place;
  const shares = place.shares?.slice() ?? Array.from({ length: n }, (_, share) => share);
  return Array.from({ length: k }, () => shares.splice(random.below(shares.length), 1)).flat();
}

function readFromAny(folders: readonly string[], file: string): Buffer {
  for (const folder of folders) {
    try {
      return readFileSync(path.join(folder, file));
    } catch {
      // another host holds it
    }
  }
  throw new Error(`no folder holds ${file}`);
}
