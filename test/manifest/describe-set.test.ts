import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SignatureBuilder } from "../../src/librsync/signature.js";
import type { ContentsEntry, DataRun } from "../../src/manifest/contents.js";
import { describeSet } from "../../src/manifest/describe-set.js";
import { digestSignature } from "../../src/manifest/signature-digest.js";
import { ascii, cut, FEEDS, hex, pattern, unhex } from "../support/bytes.js";
import { concat, deletion, directory, fileEntries, tarEntry } from "../support/tar.js";
import {
  FULL_SIGNATURES,
  FULL_VOLUME,
  INCREMENT_SIGNATURES,
  INCREMENT_VOLUME,
} from "../support/tiny-repository.js";

interface TestSet {
  readonly volumes: readonly Uint8Array[];
  readonly signatures?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly isIncrement?: boolean;
  readonly feed?: number;
}

async function* stream<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

function open({ volumes, signatures, isIncrement = true, feed = 100_000_000 }: TestSet) {
  const chunks = volumes.map((volume, at) => ({
    number: at + 1,
    chunks: stream(cut(volume, feed)),
  }));
  return describeSet({
    volumes: stream(chunks),
    isIncrement,
    ...(signatures && {
      signatures: signatures instanceof Uint8Array ? stream(cut(signatures, feed)) : signatures,
    }),
  });
}

async function entriesOf(set: TestSet): Promise<ContentsEntry[]> {
  const entries: ContentsEntry[] = [];
  for await (const entry of open(set)) entries.push(entry);
  return entries;
}

/** The bytes that runs of data name. */
function dataAt(volumes: readonly Uint8Array[], runs: readonly DataRun[]): Uint8Array {
  return concat(
    ...runs.flatMap((run) =>
      Array.from({ length: run.pieceCount }, (_, piece) => {
        const start = run.offset + piece * run.strideBytes;
        return (
          volumes[run.volume - 1]?.slice(start, start + run.pieceSizeBytes) ??
          ascii("no such volume")
        );
      }),
    ),
  );
}

function signatureOf(bytes: Uint8Array): Uint8Array {
  const builder = new SignatureBuilder(512);
  builder.update(bytes);
  return builder.finish();
}

const signature = (path: string, bytes: Uint8Array) =>
  tarEntry({ name: `signature/${path}`, data: signatureOf(bytes) });
const digest = (text: string) => digestSignature(signatureOf(ascii(text)));
const delta = (commands: string) => unhex(`72730236 ${commands}`);
const attributes = (mode: number, mtime: number) => ({
  mode,
  mtime,
  uid: 0,
  gid: 0,
  userName: "root",
  groupName: "root",
});
const run = (offset: number, pieceSizeBytes: number) => ({
  volume: 1,
  offset,
  pieceSizeBytes,
  pieceCount: 1,
  strideBytes: pieceSizeBytes,
});

describe("describeSet", () => {
  it("describes the full set of duplicity-format 12, however it is fed", async () => {
    for (const feed of FEEDS) {
      const set = { volumes: [FULL_VOLUME], signatures: FULL_SIGNATURES, isIncrement: false, feed };
      const file = attributes(0o644, 1600000000);
      const folder = attributes(0o755, 1600000000);
      expect(await entriesOf(set)).toEqual([
        { kind: "object", path: "", attributes: folder, object: { type: "directory" } },
        { kind: "object", path: "d", attributes: folder, object: { type: "directory" } },
        {
          kind: "snapshot",
          path: "f",
          attributes: file,
          sizeBytes: 6,
          data: [run(1536, 6)],
          signature: digest("hello\n"),
        },
        {
          kind: "object",
          path: "l",
          attributes: attributes(0o777, 1600000000),
          object: { type: "symlink", target: "f" },
        },
      ]);
    }
  });

  it("describes the increment of duplicity-format 12, however it is fed", async () => {
    for (const feed of FEEDS) {
      const file = attributes(0o644, 1600001000);
      expect(
        await entriesOf({ volumes: [INCREMENT_VOLUME], signatures: INCREMENT_SIGNATURES, feed }),
      ).toEqual([
        {
          kind: "object",
          path: "",
          attributes: attributes(0o755, 1600001000),
          object: { type: "directory" },
        },
        { kind: "deleted", path: "d" },
        {
          kind: "rewrite",
          path: "f",
          attributes: file,
          sizeBytes: 12,
          data: [run(1536, 18)],
          signature: digest("hello world\n"),
        },
        {
          kind: "snapshot",
          path: "g",
          attributes: file,
          sizeBytes: 1,
          data: [run(2560, 1)],
          signature: digest("x"),
        },
      ]);
    }
  });

  it("leaves signatures out where the set has no archive of them", async () => {
    const entries = await entriesOf({ volumes: [FULL_VOLUME], isIncrement: false });
    expect(entries.map((entry) => "signature" in entry)).toEqual([false, false, false, false]);
  });

  it.each([
    ["no bytes at all", new Uint8Array()],
    ["zeros", new Uint8Array(10240)],
  ])("finds nothing in an increment of %s", async (_, volume) => {
    expect(await entriesOf({ volumes: [volume], signatures: new Uint8Array(10240) })).toEqual([]);
  });

  it.each([0, 1, 511, 512, 513, 65535, 65536, 65537, 131071, 131072, 131073, 700_000])(
    "finds the content of a file of %i bytes",
    async (sizeBytes) => {
      const content = pattern(sizeBytes);
      const volumes = [
        concat(directory("."), ...fileEntries("snapshot", "x", content), directory("y")),
      ];
      const entry = (await entriesOf({ volumes }))[1];
      expect(entry).toMatchObject({ kind: "snapshot", path: "x", sizeBytes });
      const { data } = entry?.kind === "snapshot" ? entry : { data: [] };
      expect(hex(dataAt(volumes, data))).toBe(hex(content));
      expect(data.length).toBeLessThanOrEqual(2);
    },
  );

  it("joins the pieces of a file over volumes, an empty last one too", async () => {
    const content = pattern(5 * 65536);
    const pieces = fileEntries("snapshot", "x", content);
    expect(pieces).toHaveLength(6);
    const volumes = [
      concat(directory("a"), ...pieces.slice(0, 3)),
      concat(...pieces.slice(3, 5)),
      concat(...pieces.slice(5), directory("z")),
    ];
    const entries = await entriesOf({ volumes });
    expect(entries.map((entry) => entry.path)).toEqual(["a", "x", "z"]);
    expect(entries[1]).toMatchObject({
      sizeBytes: content.length,
      data: [
        { volume: 1, pieceSizeBytes: 65536, pieceCount: 3, strideBytes: 66048 },
        { volume: 2, pieceSizeBytes: 65536, pieceCount: 2, strideBytes: 66048 },
      ],
    });
  });

  it("finds pieces of any size at any distance", async () => {
    const sizes = fc.array(fc.constantFrom(0, 1, 100, 100, 600), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.nat(12),
        fc.integer({ min: 1, max: 2000 }),
        async (list, split, feed) => {
          const content = pattern(list.reduce<number>((sum, size) => sum + size, 0));
          let at = 0;
          const pieces = list.map((size, number) => {
            at += size;
            return tarEntry({
              name: `multivol_snapshot/x/${number + 1}`,
              data: content.subarray(at - size, at),
            });
          });
          const volumes = [concat(...pieces.slice(0, split)), concat(...pieces.slice(split))];
          const [entry] = await entriesOf({ volumes, feed });
          expect(entry).toMatchObject({ kind: "snapshot", sizeBytes: content.length });
          expect(entry?.kind === "snapshot" && hex(dataAt(volumes, entry.data))).toBe(hex(content));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a delta", () => {
  const described = async (commands: string) => {
    const volume = tarEntry({ name: "diff/x", data: delta(commands) });
    return (await entriesOf({ volumes: [volume] }))[0];
  };

  it.each([
    ["nothing", "00", 0],
    ["all of a small base", "45 00 01 00", 1],
    ["all of a base beyond 4 GiB", "48 00 0000000200000000 00", 2 ** 33],
    ["the beginning in two steps", "45 00 10 45 10 20 00", 0x30],
  ])("that copies %s needs no data", async (_, commands, sizeBytes) => {
    expect(await described(commands)).toMatchObject({ kind: "prefix", sizeBytes, data: [] });
  });

  it.each([
    ["the base and a literal", "46 00 0400 02 1421 00", 1026],
    ["a later part of the base", "45 01 05 00", 5],
    ["the base twice", "45 00 05 45 00 05 00", 10],
    ["with a gap", "45 00 05 45 06 05 00", 10],
  ])("that makes a file of %s keeps its data", async (_, commands, sizeBytes) => {
    const size = delta(commands).length;
    expect(await described(commands)).toMatchObject({
      kind: "diff",
      sizeBytes,
      data: [run(512, size)],
    });
  });

  it("that takes nothing from the base is a file of its own", async () => {
    const entry = { kind: "rewrite", sizeBytes: 1, data: [run(512, delta("01 21 00").length)] };
    expect(await described("01 21 00")).toMatchObject(entry);
  });

  it("is joined before it is read", async () => {
    const literals = Array.from({ length: 20 }, () => concat(unhex("42 2710"), pattern(10_000)));
    const bytes = concat(delta("45 00 05"), ...literals, unhex("00"));
    const pieces = fileEntries("diff", "x", bytes);
    const volumes = [concat(...pieces.slice(0, 2)), concat(...pieces.slice(2))];
    const [entry] = await entriesOf({ volumes, feed: 1000 });
    expect(entry).toMatchObject({ kind: "diff", sizeBytes: 200_005 });
    expect(entry?.kind === "diff" && hex(dataAt(volumes, entry.data))).toBe(hex(bytes));
  });

  it.each([
    ["has no end", delta("45 00 01"), /inside its commands/],
    ["has nothing at all", new Uint8Array(), /inside its commands/],
    ["goes on after its end", delta("00 00"), /after its END/],
    [
      "makes more than 2^53 bytes",
      delta(`${"48 00 001ffffffffffff0".repeat(2)} 00`),
      /more than 2\^53/,
    ],
  ])("that %s is refused", async (_, data, message) => {
    await expect(entriesOf({ volumes: [tarEntry({ name: "diff/x", data })] })).rejects.toThrow(
      message,
    );
  });
});

it("refuses a file in pieces of ever other sizes before they take much memory", async () => {
  const pieces = function* () {
    for (let number = 1; number <= 300_000; number++) {
      const data = new Uint8Array(1 + (number % 2));
      yield tarEntry({ name: `multivol_snapshot/a/${number}`, data });
    }
  };
  const set = describeSet({
    volumes: stream([{ number: 1, chunks: stream(pieces()) }]),
    isIncrement: false,
  });
  await expect(set.next()).rejects.toThrow("a has pieces of too many sizes");
});

describe("a set is refused", () => {
  const a = tarEntry({ name: "snapshot/a", data: ascii("a") });
  const piece = (number: number, mode: string) =>
    tarEntry({ name: `multivol_snapshot/a/${number}`, mode, data: ascii("a") });

  it.each([
    [
      "with a deletion in a full set",
      { volumes: [deletion("a")], isIncrement: false },
      /deleted in a full set/,
    ],
    [
      "with a delta in a full set",
      { volumes: [tarEntry({ name: "diff/a", data: delta("00") })], isIncrement: false },
      /diff in a full set/,
    ],
    ["out of order over volumes", { volumes: [a, a] }, /volume 2: entry a follows a/],
    [
      "with a file that begins in no volume",
      { volumes: [piece(2, "0000644\0")] },
      /piece 2 of a is the first/,
    ],
    [
      "with pieces that differ in their attributes",
      { volumes: [piece(1, "0000644\0"), piece(2, "0000600\0")] },
      /volume 2: pieces of a differ/,
    ],
    ["of a single file", { volumes: [tarEntry({ name: "snapshot/" })] }, /source is a file/],
    [
      "whose archive lacks a path",
      { volumes: [a], signatures: new Uint8Array(1024) },
      /ends before a/,
    ],
    [
      "whose archive has one path more",
      { volumes: [a], signatures: concat(signature("a", ascii("a")), signature("b", ascii("b"))) },
      /names b, which the volumes do not hold/,
    ],
    [
      "whose archive has another path",
      { volumes: [a], signatures: signature("b", ascii("b")) },
      /names b where the volumes have a/,
    ],
    [
      "whose archive has no file there",
      { volumes: [a], signatures: deletion("a") },
      /a deleted of a, for which the volumes have a snapshot/,
    ],
    [
      "whose archive has a file for a directory",
      { volumes: [directory("a")], signatures: signature("a", ascii("a")) },
      /a signature of a, for which the volumes have a object/,
    ],
    [
      "whose archive has a deletion too few",
      { volumes: [deletion("a")], signatures: signature("a", ascii("a")) },
      /for which the volumes have a deleted/,
    ],
    [
      "with an archive of something else",
      { volumes: [a], signatures: tarEntry({ name: "signature/a", data: ascii("nothing") }) },
      /librsync signature/,
    ],
    [
      "with an empty signature",
      { volumes: [a], signatures: tarEntry({ name: "signature/a" }) },
      /librsync signature/,
    ],
  ])("%s", async (_, set: TestSet, message) => {
    for (const feed of FEEDS) await expect(entriesOf({ ...set, feed })).rejects.toThrow(message);
  });

  it("at every cut of its volume or its archive", async () => {
    for (let size = 0; size < INCREMENT_VOLUME.length; size += 8) {
      const volumes = [INCREMENT_VOLUME.subarray(0, size)];
      await expect(entriesOf({ volumes, signatures: INCREMENT_SIGNATURES })).rejects.toThrow();
    }
    for (let size = 0; size < 3072; size += 8) {
      const signatures = INCREMENT_SIGNATURES.subarray(0, size);
      await expect(entriesOf({ volumes: [INCREMENT_VOLUME], signatures })).rejects.toThrow();
    }
  });
});

describe("the archive of signatures", () => {
  it("may come in pieces that cut its signatures", async () => {
    const contents = [pattern(40_000), pattern(0), pattern(513)];
    const volumes = [
      concat(...contents.flatMap((content, at) => fileEntries("snapshot", `f${at}`, content))),
    ];
    const signatures = concat(...contents.map((content, at) => signature(`f${at}`, content)));
    for (const feed of [...FEEDS, 512, 700]) {
      const entries = await entriesOf({ volumes, signatures, feed });
      const digests = contents.map((content) => digestSignature(signatureOf(content)));
      expect(entries.map((entry) => "signature" in entry && entry.signature)).toEqual(digests);
    }
  });

  it("is let go when the reader stops early or fails", async () => {
    const closed: string[] = [];
    async function* watched(name: string) {
      try {
        yield* stream([FULL_SIGNATURES]);
      } finally {
        closed.push(name);
      }
    }
    const early = open({
      volumes: [FULL_VOLUME],
      signatures: watched("early"),
      isIncrement: false,
    });
    await early.next();
    await early.return(undefined);
    const broken = { volumes: [FULL_VOLUME.subarray(0, 1600)], signatures: watched("broken") };
    await expect(entriesOf(broken)).rejects.toThrow(/ends inside an entry/);
    expect(closed).toEqual(["early", "broken"]);
  });
});
