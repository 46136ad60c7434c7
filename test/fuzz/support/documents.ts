/** Fuzz targets: what a master publishes and replicas read from sources that nobody has to trust. */
import { expect } from "vitest";
import { toTreePath } from "../../../src/bytes/tree-path.js";
import { compressBrotli } from "../../../src/erasure/brotli.js";
import { decompressStripe } from "../../../src/erasure/stripe.js";
import { PAGE_MAX_BYTES } from "../../../src/limits.js";
import {
  type ContentsEntry,
  decodeContentsPage,
  encodeContentsPage,
} from "../../../src/manifest/contents.js";
import { decodeFileTable, encodeFileTable } from "../../../src/manifest/file-table.js";
import { formatHead, parseHead } from "../../../src/manifest/head.js";
import { makeKeyPair, parseSigningKey, parseVerifierKey } from "../../../src/manifest/keys.js";
import {
  FIRST_LINE_PREVIOUS,
  formatLedgerLine,
  joinLedger,
  parseLedgerLine,
} from "../../../src/manifest/ledger.js";
import { ledgerPath, tablePath } from "../../../src/manifest/paths.js";
import { openNote, signNote } from "../../../src/manifest/signed-note.js";
import { packPage, unpackPage } from "../../../src/manifest/table.js";
import { plainEntry, readBack } from "../../manifest/read-back.js";
import {
  digest,
  FULL,
  INCREMENT,
  sampleHead,
  sampleLedger,
  sampleLine,
} from "../../manifest/samples.js";
import {
  deletedEntry,
  directoryEntry,
  fileEntry,
  linkEntry,
  run,
} from "../../replica/support/entries.js";
import { pattern } from "../../support/bytes.js";
import { type Target, target } from "./target.js";

const KEYS = makeKeyPair("pub", digest("seed"));
const OTHER_KEYS = makeKeyPair("other", digest("another seed"));
const SIGNING = parseSigningKey(KEYS.signingKey);
const VERIFIER = parseVerifierKey(KEYS.verifierKey);

const HEADS = [
  sampleHead(),
  sampleHead({
    newest: { chain: FULL.time, set: FULL },
    sources: [],
    nextKey: OTHER_KEYS.verifierKey,
  }),
].map(formatHead);
const NOTES = [
  ...HEADS.map((head) => signNote(head, SIGNING)),
  signNote(HEADS[0] ?? new Uint8Array(), parseSigningKey(OTHER_KEYS.signingKey)),
];

const SHAPE = { k: 2, n: 3 };
const LEDGER = sampleLedger(FIRST_LINE_PREVIOUS, [FULL, INCREMENT]);

const STRIPE = {
  compression: "brotli" as const,
  storedSizeBytes: 1000,
  blockHashes: Buffer.concat([digest("a"), digest("b"), digest("c")]),
};
const FILE = {
  number: 1,
  wrapping: "gzip" as const,
  sizeBytes: 1_500_000,
  stripeSizeBytes: 2 ** 20,
  hash: digest("file"),
  pack: 0,
  offset: 0,
  stripes: [
    STRIPE,
    { ...STRIPE, compression: "none" as const, storedSizeBytes: 1_500_000 - 2 ** 20 },
  ],
};
const TABLES = [
  encodeFileTable(
    [
      { ...FILE, name: "duplicity-full.20231114T221320Z.vol1.difftar.gz", role: "volume" },
      {
        ...FILE,
        name: "duplicity-full.20231114T221320Z.vol2.difftar.gz",
        role: "volume",
        number: 2,
        pack: 3,
        offset: 7777,
      },
    ],
    SHAPE,
  ),
  encodeFileTable(
    [
      { ...FILE, name: "odd name\n\xff", role: "manifest", number: 0 },
      {
        ...FILE,
        name: "duplicity-new-signatures.20231114T221320Z.to.20231114T221420Z.sigtar.gz",
        role: "signatures",
        number: 0,
      },
    ],
    SHAPE,
  ),
  encodeFileTable([], SHAPE),
];

const SIGNED = { blockLength: 512, digest: digest("x").subarray(0, 8) };
const ENTRIES: readonly ContentsEntry[] = [
  directoryEntry(""),
  directoryEntry("a", { mtime: 1_600_000_000, uid: 1000, userName: "somebody" }),
  fileEntry("snapshot", "a/b", {
    sizeBytes: 70_000,
    data: [run(1, 512, 65_536), run(2, 512, 4464)],
    signature: SIGNED,
  }),
  fileEntry("diff", "a/c", {
    sizeBytes: 5,
    data: [{ volume: 2, offset: 6000, pieceSizeBytes: 512, pieceCount: 5, strideBytes: 1024 }],
  }),
  fileEntry("prefix", "a/d\xff", { sizeBytes: 2 ** 40 }),
  fileEntry("snapshot", "a/e"),
  linkEntry("b", "../somewhere"),
  deletedEntry("c"),
  {
    kind: "object",
    path: toTreePath("d"),
    attributes: { mode: 0o600, uid: 0, gid: 0, userName: "", groupName: "", mtime: 2 ** 52 },
    object: { type: "blockDevice", major: 8, minor: 1 },
  },
  {
    kind: "object",
    path: toTreePath("e"),
    attributes: { mode: 0o600, uid: 0, gid: 0, userName: "", groupName: "", mtime: 0 },
    object: { type: "fifo" },
  },
];
const PAGES = [
  encodeContentsPage(ENTRIES),
  encodeContentsPage([]),
  encodeContentsPage(ENTRIES.slice(2, 5)),
];

export const DOCUMENTS: readonly Target[] = [
  target({
    name: "a signed note",
    samples: NOTES.slice(0, 2),
    parse: (bytes) => openNote(bytes, [VERIFIER]),
    codes: ["SIGNATURE_INVALID"],
    check: (text) => expect(HEADS.some((head) => Buffer.compare(head, text) === 0)).toBe(true),
  }),
  target({
    name: "a head",
    samples: HEADS,
    parse: parseHead,
    codes: ["HEAD_INVALID"],
    check: (head) => {
      expect(parseHead(formatHead(head))).toEqual(head);
      for (const { chain } of head.ledgers)
        expect(ledgerPath(head.session, chain)).toMatch(/^ledger\//);
    },
  }),
  target({
    name: "a ledger line",
    samples: [sampleLine(), sampleLine({ contents: undefined, entryCount: 0, set: FULL })].map(
      formatLedgerLine,
    ),
    parse: parseLedgerLine,
    codes: ["LEDGER_INVALID"],
    check: (line, bytes) => {
      expect(Buffer.compare(formatLedgerLine(line), bytes)).toBe(0);
      expect(tablePath("contents", "session", line.set)).toMatch(/^contents\/session\/[^/]+$/);
    },
  }),
  target({
    name: "a ledger",
    samples: [LEDGER.bytes],
    parse: (bytes) => joinLedger({ bytes, previous: FIRST_LINE_PREVIOUS, last: LEDGER.last }),
    codes: ["LEDGER_INVALID"],
    check: (lines) => expect(lines).toEqual(LEDGER.lines),
  }),
  target({
    name: "a file table",
    samples: TABLES,
    parse: (bytes) => decodeFileTable(bytes, SHAPE),
    codes: ["DOCUMENT_INVALID"],
    check: (files) => expect(decodeFileTable(encodeFileTable(files, SHAPE), SHAPE)).toEqual(files),
  }),
  target({
    name: "a page of contents",
    samples: PAGES,
    parse: (bytes) => [...decodeContentsPage(bytes)],
    codes: ["DOCUMENT_INVALID", "PATH_REFUSED"],
    check: (entries) => expect(readBack(entries)).toEqual(entries.map(plainEntry)),
  }),
  target({
    name: "a packed page",
    samples: await Promise.all([...PAGES, ...TABLES, new Uint8Array(100_000)].map(packPage)),
    parse: unpackPage,
    codes: ["DOCUMENT_INVALID"],
    check: async (page) => {
      expect(page.length).toBeLessThanOrEqual(PAGE_MAX_BYTES);
      expect(Buffer.compare(await unpackPage(await packPage(page)), page)).toBe(0);
    },
  }),
  target({
    name: "a compressed stripe",
    samples: [await compressBrotli(pattern(5000), 5)],
    parse: (bytes) => decompressStripe("brotli", bytes, 5000),
    codes: ["BLOCK_CORRUPT"],
    check: (raw) => expect(raw.length).toBe(5000),
  }),
  target({
    name: "a verifier key",
    samples: [KEYS.verifierKey, OTHER_KEYS.verifierKey].map((text) => Buffer.from(text)),
    parse: (bytes) => parseVerifierKey(Buffer.from(bytes).toString()),
    codes: ["KEY_INVALID"],
    check: ({ name, id }) => expect([name.length <= 100, id.length]).toEqual([true, 4]),
  }),
  target({
    name: "a signing key",
    samples: [KEYS.signingKey, OTHER_KEYS.signingKey].map((text) => Buffer.from(text)),
    parse: (bytes) => parseSigningKey(Buffer.from(bytes).toString()),
    codes: ["KEY_INVALID"],
    check: (key) =>
      expect(openNote(signNote(HEADS[0] ?? new Uint8Array(), key), [key.verifier])).toEqual(
        HEADS[0],
      ),
  }),
];
