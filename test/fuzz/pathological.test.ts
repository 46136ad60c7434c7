/** Inputs built to cost more than their size: four times as much takes about four times as long, not sixteen times. */
import { expect, test } from "vitest";
import { groupSets } from "../../src/duplicity/chains.js";
import { DifftarReader } from "../../src/duplicity/difftar.js";
import { parseManifest } from "../../src/duplicity/manifest.js";
import { parseFileName } from "../../src/duplicity/names.js";
import { TarReader } from "../../src/duplicity/tar.js";
import { DeltaReader } from "../../src/librsync/delta.js";
import { decodeContentsPage, encodeContentsPage } from "../../src/manifest/contents.js";
import { directoryEntry, fileEntry, run } from "../replica/support/entries.js";
import { concat, longName, paxHeader, tarEntry } from "../support/tar.js";

interface Pathology {
  readonly what: string;
  readonly size: number;
  /** The input, and what reads it. */
  readonly make: (size: number) => () => unknown;
}

const HASH = "    Hash SHA1 00\n";
const volume = (number: number) =>
  `Volume ${number}:\n    StartingPath   .  \n    EndingPath     .  \n${HASH}`;

const PATHOLOGIES: readonly Pathology[] = [
  {
    what: "extended headers of thousands of records before one entry",
    size: 40,
    make: (size) => {
      const records = Array.from({ length: 3000 }, (_, at) => [`key${at}`, "value"] as const);
      const header = paxHeader(Object.fromEntries(records));
      const stream = concat(...many(size, header), tarEntry({ name: "snapshot/a" }));
      return () => readTar(stream, stream.length);
    },
  },
  {
    what: "long names, one after the other, in pieces",
    size: 60,
    make: (size) => {
      const names = many(size, longName(`snapshot/${"d/".repeat(1900)}f`));
      const stream = concat(...names, tarEntry({ name: "x" }));
      return () => readTar(stream, 100);
    },
  },
  {
    what: "paths that share nearly all with the one before",
    size: 500,
    make: (size) => {
      const deep = `snapshot/${"d/".repeat(1500)}`;
      const entries = Array.from({ length: size }, (_, at) => [
        longName(`${deep}${String(at).padStart(6, "0")}`),
        tarEntry({ name: "x" }),
      ]);
      const stream = concat(...entries.flat());
      return () => {
        const reader = new DifftarReader("volume 1");
        return reader.push(stream);
      };
    },
  },
  {
    what: "a manifest of many volumes, each listed twice",
    size: 3000,
    make: (size) => {
      const volumes = Array.from({ length: size }, (_, at) => volume(at + 1)).join("");
      const bytes = Buffer.from(`Hostname vm\n${volumes}${volumes}Filelist 0\n`);
      return () => parseManifest(bytes);
    },
  },
  {
    what: "many names in a repository",
    size: 4000,
    make: (size) => {
      const names = Array.from(
        { length: size },
        (_, at) => `duplicity-full.20231114T221320Z.vol${at + 1}.difftar.gz`,
      );
      return () => groupSets(names.flatMap((name) => parseFileName(name) ?? []));
    },
  },
  {
    what: "a delta of commands of two bytes, byte by byte",
    size: 40_000,
    make: (size) => {
      const delta = concat(Uint8Array.of(0x72, 0x73, 2, 0x36), new Uint8Array(2 * size).fill(1));
      return () => {
        const reader = new DeltaReader();
        let count = 0;
        for (let at = 0; at < delta.length; at++) {
          count += [...reader.push(delta.subarray(at, at + 1))].length;
        }
        return count;
      };
    },
  },
  {
    what: "a page of files in many runs and deep paths",
    size: 200,
    make: (size) => {
      const deep = "d/".repeat(1500);
      const files = Array.from({ length: size }, (_, at) => {
        const data = Array.from({ length: 50 }, (_, part) => run(1, 512 * (50 * at + part), 1));
        return fileEntry("snapshot", `${deep}${String(at).padStart(6, "0")}`, {
          sizeBytes: 50,
          data,
        });
      });
      const page = encodeContentsPage([directoryEntry(""), ...files]);
      return () => [...decodeContentsPage(page)];
    },
  },
];

test.each(PATHOLOGIES)("$what take time in proportion to their size", ({ size, make }) => {
  const small = make(size);
  const large = make(4 * size);
  small();
  large();
  const [smallMs, largeMs] = [quickest(small), quickest(large)];
  expect(largeMs).toBeLessThan(RATIO_MAX * Math.max(smallMs, LEAST_MS));
});

/** Linear is 4, quadratic 16. */
const RATIO_MAX = 11;
const LEAST_MS = 2;
const TRIES = 12;

/** Of the processor, which another program on the machine does not lengthen; what disturbs it only ever makes it longer. */
function quickest(read: () => unknown): number {
  const times = Array.from({ length: TRIES }, () => {
    const before = process.cpuUsage();
    read();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

function readTar(stream: Uint8Array, pieceSize: number): number {
  const reader = new TarReader("volume 1");
  let count = 0;
  for (let at = 0; at < stream.length; at += pieceSize) {
    count += reader.push(stream.subarray(at, at + pieceSize)).length;
  }
  return count;
}

function many<T>(count: number, value: T): T[] {
  return new Array<T>(count).fill(value);
}
