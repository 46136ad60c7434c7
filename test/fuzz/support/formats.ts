/** Fuzz targets: duplicity's and librsync's formats, gzip, OpenPGP. */
import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import { gunzip } from "../../../src/disk/gunzip.js";
import { groupSets } from "../../../src/duplicity/chains.js";
import { DifftarReader } from "../../../src/duplicity/difftar.js";
import { parseManifest } from "../../../src/duplicity/manifest.js";
import { MessageFrame } from "../../../src/duplicity/message-frame.js";
import {
  formatSetName,
  parseFileName,
  parseSetName,
  type RepositoryFile,
} from "../../../src/duplicity/names.js";
import { SigtarReader } from "../../../src/duplicity/sigtar.js";
import { TarReader } from "../../../src/duplicity/tar.js";
import { DeltaReader } from "../../../src/librsync/delta.js";
import { parseSignature, SignatureBuilder } from "../../../src/librsync/signature.js";
import { type ContentsEntry } from "../../../src/manifest/contents.js";
import { describeSet } from "../../../src/manifest/describe-set.js";
import { plainEntry, readBack } from "../../manifest/read-back.js";
import { archiveSet } from "../../replica/support/archive.js";
import { changed, fifo, file, folder, link, model } from "../../replica/support/model.js";
import { cut, pattern, unhex } from "../../support/bytes.js";
import {
  concat,
  deletion,
  directory,
  fileEntries,
  longName,
  paxHeader,
  tarEntry,
} from "../../support/tar.js";
import { FULL_SIGNATURES, INCREMENT_SIGNATURES } from "../../support/tiny-repository.js";
import { type Target, target } from "./target.js";

const ZEROS = new Uint8Array(1024);
const LONG = "d".repeat(200);

const VOLUMES = [
  concat(
    directory("."),
    tarEntry({ name: "snapshot/a", data: pattern(6) }),
    paxHeader({ hdrcharset: "BINARY", path: `snapshot/${"b".repeat(120)}\xe9`, uid: "3000000" }),
    tarEntry({ name: "snapshot/bbb", data: pattern(700) }),
    paxHeader({ linkpath: LONG, mtime: "99999999999" }),
    tarEntry({ name: "snapshot/c", type: "2", link: LONG.slice(0, 100) }),
    tarEntry({ name: "snapshot/d", type: "3", major: "0000001\0", minor: "0000003\0" }),
    ZEROS,
  ),
  concat(
    directory("."),
    deletion("a"),
    longName(`snapshot/${LONG}/${LONG}`.slice(0, 500)),
    longName(LONG, "K"),
    tarEntry({ name: "snapshot/ddd", type: "2", magic: "ustar  \0", link: LONG.slice(0, 100) }),
    tarEntry({ name: "diff/e", data: unhex("72730236 46 00 0400 02 1421 00"), magic: "ustar  \0" }),
    tarEntry({ name: "f", prefix: "snapshot/e", data: pattern(3) }),
  ),
  concat(...fileEntries("snapshot", "g", pattern(65_536 + 10))),
];

const TREE = model({
  a: folder(),
  "a/b": file("hello"),
  "a/c": file(pattern(3000).toString()),
  d: link("a"),
  e: fifo(),
});
const NEXT_TREE = changed(TREE, {
  "a/b": file("hello world", 7),
  d: folder(),
  "d/e": file("x", 8),
  e: undefined,
});
const PIECES = { pieceSizeBytes: 512 };
const FULL = archiveSet(undefined, TREE, PIECES);
const INCREMENT = archiveSet(TREE, NEXT_TREE, PIECES);

const DELTAS = [
  unhex("72730236 46 00 0400 02 1421 00"),
  unhex("72730236 4a 0200 0200 46 00 0200 00"),
  concat(
    unhex("72730236 41 f1"),
    pattern(241),
    unhex("46 00 0200 42 010f"),
    pattern(271),
    unhex("00"),
  ),
  unhex("72730236 44 0000000000000002 4141 54 0000000000000001 0000000000000005 00"),
];

const SIGNATURES = [signatureOf(pattern(0)), signatureOf(pattern(1025))];

const MANIFEST = `Hostname vm
Localdir "/srv/a\\x20b"
Volume 1:
    StartingPath   .  ${""}
    EndingPath     big/random.bin 15
    Hash SHA1 fd542d0fedd872d331c88674bc416f71aaaacede
Volume 2:
    StartingPath   big/random.bin 16
    EndingPath     "types/new\\x0aline"  ${""}
    Hash SHA1 9feeb527774833ce187684f62d5db454c7c2416b
    Hash MD5 0123456789abcdef0123456789abcdef
Filelist 3
    new      big/random.bin
    changed  "names/new\\x0aline"
    deleted  dirs/full/t3
`;

const FILE_NAMES = [
  "duplicity-full.20231114T221320Z.vol1.difftar.gz",
  "duplicity-inc.20231114T221320Z.to.20231114T221500Z.vol12.difftar.gpg",
  "duplicity-full-signatures.20231114T221320Z.sigtar.gz",
  "duplicity-new-signatures.20231114T221320Z.to.20231114T221500Z.sigtar.part.gpg",
  "duplicity-full.2023-11-14T17:13:20-04:30.manifest",
  "df.s44we8.1.dt.z",
  "di.s44we8.s44wh0.m.g",
  "dns.s44we8.s44wh0.st.p",
];

const MESSAGES = [
  "8c 03 04 09 03 d2 e2 01 02 03 04 c0 00" + "00".repeat(192),
  "84 02 03 00 85 00 02 03 00 a6 00 00 00 02 01 ff",
  "d2 ff 00 00 00 02 01 ff",
].map(unhex);

export const FORMATS: readonly Target[] = [
  target({
    name: "a tar stream",
    samples: VOLUMES,
    repair: repairTar,
    parse: (bytes) => inPieces(bytes, () => new TarReader("volume 1")),
    codes: ["FORMAT_INVALID"],
  }),
  target({
    name: "a volume",
    samples: VOLUMES,
    repair: repairTar,
    parse: (bytes) => inPieces(bytes, () => new DifftarReader("volume 1")),
    codes: ["FORMAT_INVALID", "PATH_REFUSED"],
  }),
  target({
    name: "a signature archive",
    samples: [FULL_SIGNATURES, INCREMENT_SIGNATURES],
    repair: repairTar,
    parse: (bytes) => inPieces(bytes, () => new SigtarReader("signature archive")),
    codes: ["FORMAT_INVALID", "PATH_REFUSED"],
  }),
  target({
    name: "a full set's volume beside its signatures",
    samples: FULL.volumes,
    repair: repairTar,
    parse: (bytes) => described(bytes, FULL.signatures, false),
    codes: ["FORMAT_INVALID", "PATH_REFUSED", "UNSUPPORTED"],
    check: expectEncodable,
  }),
  target({
    name: "an increment's volume without signatures",
    samples: INCREMENT.volumes,
    repair: repairTar,
    parse: (bytes) => described(bytes, undefined, true),
    codes: ["FORMAT_INVALID", "PATH_REFUSED", "UNSUPPORTED"],
    check: expectEncodable,
  }),
  target({
    name: "an increment's signatures beside its volume",
    samples: [INCREMENT.signatures],
    repair: repairTar,
    parse: (bytes) => described(INCREMENT.volumes[0] ?? new Uint8Array(), bytes, true),
    codes: ["FORMAT_INVALID", "PATH_REFUSED"],
    check: expectEncodable,
  }),
  target({
    name: "a delta",
    samples: DELTAS,
    parse: (bytes) => inPieces(bytes, () => new DeltaReader()),
    codes: ["FORMAT_INVALID"],
    check: (events) => {
      for (const event of events) {
        const command = event as { kind: string; position: number; sizeBytes: number };
        if (command.kind !== "copy") continue;
        expect(command.sizeBytes).toBeGreaterThan(0);
        expect(Number.isSafeInteger(command.position + command.sizeBytes)).toBe(true);
      }
    },
  }),
  target({
    name: "a signature",
    samples: SIGNATURES,
    parse: parseSignature,
    codes: ["FORMAT_INVALID"],
    check: ({ blockCount }, bytes) => expect(12 + 12 * blockCount).toBe(bytes.length),
  }),
  target({
    name: "duplicity's manifest",
    samples: [Buffer.from(MANIFEST)],
    parse: parseManifest,
    codes: ["FORMAT_INVALID", "PATH_REFUSED"],
    check: ({ volumes }) =>
      expect(volumes.map(({ number }) => number)).toEqual(volumes.map((_, at) => at + 1)),
  }),
  target({
    name: "a name in a repository",
    samples: FILE_NAMES.map((name) => Buffer.from(name)),
    parse: (bytes) => parseFileName(Buffer.from(bytes).toString("latin1")),
    codes: [],
    check: expectNamed,
  }),
  target({
    name: "the names in a repository",
    samples: [Buffer.from(FILE_NAMES.slice(0, 4).join("\t"))],
    parse: (bytes) => {
      const names = Buffer.from(bytes).toString("latin1").split("\t");
      return groupSets(names.flatMap((name) => parseFileName(name) ?? []));
    },
    codes: ["REPOSITORY_INVALID"],
  }),
  target({
    name: "an encrypted message",
    samples: MESSAGES,
    parse: (bytes) => {
      const frame = new MessageFrame("vol1.difftar.gpg");
      frame.push(bytes);
      frame.finish();
    },
    codes: ["FORMAT_INVALID"],
  }),
  target({
    name: "a gzip stream",
    samples: [gzipSync(pattern(5000)), gzipSync(""), concat(gzipSync("one"), gzipSync("two"))],
    parse: async (bytes) => {
      const { signal } = new AbortController();
      let sizeBytes = 0;
      for await (const chunk of gunzip(later(cut(bytes, 513)), { signal }))
        sizeBytes += chunk.length;
      return sizeBytes;
    },
    codes: ["FORMAT_INVALID"],
    // deflate's own bound
    check: (sizeBytes, bytes) => expect(sizeBytes).toBeLessThanOrEqual(1032 * bytes.length),
  }),
];

interface PieceReader<Event> {
  push(chunk: Uint8Array): Iterable<Event>;
  finish(): void;
}

/** The events of all pieces; what is fed in odd pieces must be refused, or not, as it is whole. */
function inPieces<Event>(bytes: Uint8Array, open: () => PieceReader<Event>): Event[] {
  const outcomes = [bytes.length + 1, 509].map((size) => outcomeOf(cut(bytes, size), open()));
  const [whole, odd] = outcomes;
  expect(odd?.failure === undefined).toBe(whole?.failure === undefined);
  if (whole?.failure !== undefined) throw whole.failure;
  return whole?.events ?? [];
}

function outcomeOf<Event>(
  pieces: readonly Uint8Array[],
  reader: PieceReader<Event>,
): { readonly events: Event[]; readonly failure?: Error } {
  const events: Event[] = [];
  try {
    for (const piece of pieces) events.push(...reader.push(piece));
    reader.finish();
    return { events };
  } catch (error) {
    return { events, failure: error instanceof Error ? error : new Error(String(error)) };
  }
}

async function described(
  volume: Uint8Array,
  signatures: Uint8Array | undefined,
  isIncrement: boolean,
): Promise<ContentsEntry[]> {
  const entries: ContentsEntry[] = [];
  const set = describeSet({
    volumes: later([{ number: 1, chunks: later(cut(volume, 4096)) }]),
    ...(signatures === undefined ? {} : { signatures: later(cut(signatures, 4096)) }),
    isIncrement,
  });
  for await (const entry of set) entries.push(entry);
  return entries;
}

/** What was described can be published, and is read as it was. */
function expectEncodable(entries: readonly ContentsEntry[]): void {
  expect(readBack(entries)).toEqual(entries.map(plainEntry));
}

function expectNamed(named: RepositoryFile | undefined): void {
  if (named === undefined) return;
  expect(parseSetName(formatSetName(named.set))).toEqual(named.set);
  expect(Number.isSafeInteger(named.number)).toBe(true);
}

/** Gives every block that looks like a header the checksum it needs. */
function repairTar(bytes: Uint8Array): Uint8Array {
  const repaired = Buffer.from(bytes);
  for (let at = 0; at + 512 <= repaired.length; at += 512) {
    const block = repaired.subarray(at, at + 512);
    if (block.toString("latin1", 257, 262) !== "ustar") continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return repaired;
}

function signatureOf(content: Uint8Array): Uint8Array {
  const builder = new SignatureBuilder(512);
  builder.update(content);
  return builder.finish();
}

async function* later<T>(values: readonly T[]): AsyncGenerator<T> {
  for (const value of values) yield await Promise.resolve(value);
}
