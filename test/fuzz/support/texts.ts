/** Fuzz targets: what an operator writes, what a client asks, and what a killed process left in a state directory. */

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { toTreePath } from "../../../src/bytes/tree-path.js";
import { parseDuration, parseSize } from "../../../src/bytes/units.js";
import { configKind } from "../../../src/config/kind.js";
import { loadMasterConfig } from "../../../src/config/master.js";
import { loadReplicaConfig } from "../../../src/config/replica.js";
import { parseByteRange } from "../../../src/daemon/byte-range.js";
import { locate } from "../../../src/daemon/served-path.js";
import { readCycleRecord } from "../../../src/master/cycle-record.js";
import { readHostStates } from "../../../src/master/host-states.js";
import { DuplicityLog } from "../../../src/programs/duplicity-log.js";
import { type Journal, readJournal, writeJournal } from "../../../src/replica/journal.js";
import { includedPlaces, pathFilter } from "../../../src/replica/patterns.js";
import { type Position, readPosition, writePosition } from "../../../src/replica/position.js";
import {
  acceptHead,
  NOTHING_TRUSTED,
  readTrustState,
  type TrustState,
  writeTrustState,
} from "../../../src/replica/trusted-head.js";
import { hashText, INCREMENT, SESSION, sampleHead } from "../../manifest/samples.js";
import { fastLastingFolder, removeFolder } from "../../support/temporary.js";
import { type Target, target } from "./target.js";

const POSITION: Position = {
  session: SESSION,
  chain: 1_700_000_000,
  set: INCREMENT,
  manifestHash: hashText("manifest"),
  lastLineHash: hashText("line"),
  entryCount: 12,
  tree: { inode: "1234", birth: "1700000000.5", mtime: 1_700_000_000 },
  filter: '{"include":[],"exclude":["*.o"]}',
};

const JOURNAL: Journal = {
  position: POSITION,
  publishLast: [toTreePath("dists/InRelease")],
  attributes: [{ path: toTreePath("a/b\xff"), mode: 0o644, mtime: 5, uid: 1, gid: 2 }],
  deletes: [toTreePath("c")],
  directories: [
    { path: toTreePath(""), mtime: 7 },
    { path: toTreePath("a"), mode: 0o755 },
  ],
};

const TRUSTED = acceptHead(
  acceptHead(NOTHING_TRUSTED, sampleHead(), new Map()),
  sampleHead({ generation: 8, session: SESSION.replace("0b8f", "1b8f") }),
  new Map([["https://a.example.org/pub", '"etag"']]),
);

const RANGES = ["bytes=0-99", "bytes=5-", "bytes=-7", "bytes=0-0,5-9", "items=1-2"];
const URLS = [
  "/pub/head",
  "/pub/ledger/a/b.jsonl",
  "/pub/shares/0/s/c/v12?x=1",
  "/pub/%68ead",
  "/other/head",
];
const PATTERNS = ["*.c", "/a/**/b", "**/InRelease", "x[a-z]y?", "[!0-9]*", "a/b/", "\u00e9/*"];
const PATHS = ["a", "a/x/b", "dists/InRelease", "xby1", "\xc3\xa9/1", "a\nb/c"].map(toTreePath);

export const TEXTS: readonly Target[] = [
  target({
    name: "a replica's configuration",
    samples: [sampleConfig("replica")],
    parse: (bytes) => loadReplicaConfig(text(bytes), "/etc/dupmirror/replica.yaml"),
    codes: ["CONFIG_INVALID"],
    manyLines: true,
    isSlow: true,
  }),
  target({
    name: "a master's configuration",
    samples: [sampleConfig("master")],
    parse: (bytes) => loadMasterConfig(text(bytes), "/etc/dupmirror/master.yaml"),
    codes: ["CONFIG_INVALID"],
    manyLines: true,
    isSlow: true,
  }),
  target({
    name: "a configuration of either kind",
    samples: [sampleConfig("master"), sampleConfig("replica")],
    parse: (bytes) => configKind(text(bytes), "/etc/dupmirror/some.yaml"),
    codes: ["CONFIG_INVALID"],
    isSlow: true,
  }),
  target({
    name: "patterns",
    samples: PATTERNS.map((pattern) => Buffer.from(pattern)),
    parse: (bytes) => {
      const patterns = [text(bytes)];
      const filter = pathFilter(patterns, []);
      return {
        places: includedPlaces(patterns),
        chosen: PATHS.filter((one) => filter(one, false)),
      };
    },
    codes: ["CONFIG_INVALID", "PATH_REFUSED"],
    check: ({ places, chosen }) => {
      // What is chosen lies in a place where something can be.
      const isPlaced = (one: string) =>
        places?.some((place) => `${one}/`.startsWith(`${place}/`)) ?? true;
      expect(chosen.filter((one) => !isPlaced(one))).toEqual([]);
    },
  }),
  target({
    name: "sizes and times",
    samples: ["25 MiB", "1.5 h", "30d", "4096"].map((quantity) => Buffer.from(quantity)),
    parse: (bytes) => [parseSize(text(bytes)), parseDuration(text(bytes))],
    codes: [],
    check: (values) => {
      for (const value of values)
        expect(value === undefined || Number.isSafeInteger(value)).toBe(true);
    },
  }),
  target({
    name: "a Range header",
    samples: RANGES.map((range) => Buffer.from(range)),
    parse: (bytes) => parseByteRange(text(bytes), 100),
    codes: [],
    check: (range) => {
      if (range.kind !== "part") return;
      expect(range.start).toBeGreaterThanOrEqual(0);
      expect(range.sizeBytes).toBeGreaterThan(0);
      expect(range.start + range.sizeBytes).toBeLessThanOrEqual(100);
    },
  }),
  target({
    name: "a requested URL",
    samples: URLS.map((url) => Buffer.from(url)),
    parse: (bytes) => locate(new Map([["pub", "/srv/pub"]]), text(bytes)),
    codes: [],
    check: (found) => {
      if (found !== undefined)
        expect(path.normalize(found.path).startsWith("/srv/pub/")).toBe(true);
    },
  }),
  target({
    name: "what duplicity says",
    samples: [
      Buffer.from("NOTICE 1\n. Errors 2\n. SourceFiles 7 (7)\n\nERROR 30 x\n. it broke\n\n"),
    ],
    parse: (bytes) => {
      const log = new DuplicityLog();
      for (const line of text(bytes).split("\n")) log.push(line);
      return log;
    },
    codes: [],
    check: ({ statistics }) => expect(statistics?.errors ?? 0).toBeGreaterThanOrEqual(0),
  }),
  stateFile("a stored position", "position", readPosition, writePosition, POSITION),
  stateFile("a journal", "journal", readJournal, writeJournal, JOURNAL),
  stateFile<TrustState>("a stored head", "trusted", readTrustState, writeTrustState, TRUSTED),
  target({
    name: "the record of a cycle",
    samples: [Buffer.from('{"endedAt":1,"error":"x","withheld":["a"],"waiting":[],"missed":[]}\n')],
    parse: (bytes) => withFile("last-cycle", bytes, (file) => readCycleRecord(path.dirname(file))),
    codes: [],
  }),
  target({
    name: "the states of hosts",
    samples: [
      Buffer.from(
        '[{"name":"a","shares":[0],"state":"behind","error":"x","behindSince":1,"generation":2,"missingBytes":3}]\n',
      ),
    ],
    parse: (bytes) =>
      withFile("host-states", bytes, (file) => {
        const hosts = [{ name: "a", url: "file:///a", shares: [0] }];
        return readHostStates({ hosts, stateDirectory: path.dirname(file) });
      }),
    codes: [],
  }),
];

/** A file of ours that is read as it was written, whatever is written of what was read. */
function stateFile<T>(
  name: string,
  fileName: string,
  read: (file: string) => T | undefined,
  write: (file: string, value: T) => void,
  sample: T,
): Target {
  const written = (value: T) =>
    withFile(fileName, new Uint8Array(), (file) => {
      write(file, value);
      return readFileSync(file);
    });
  return target<T | undefined>({
    name,
    samples: [written(sample)],
    parse: (bytes) => withFile(fileName, bytes, read),
    codes: ["DISK_FAILED"],
    check: (value) => {
      if (value !== undefined) expect(withFile(fileName, written(value), read)).toEqual(value);
    },
  });
}

function withFile<T>(name: string, bytes: Uint8Array, use: (file: string) => T): T {
  const folder = fastLastingFolder();
  try {
    const file = path.join(folder, name);
    writeFileSync(file, bytes);
    return use(file);
  } finally {
    removeFolder(folder);
  }
}

function sampleConfig(kind: "master" | "replica"): Uint8Array {
  const lines = readFileSync(
    new URL(`../../../config/${kind}.yaml`, import.meta.url),
    "utf8",
  ).split("\n");
  return Buffer.from(lines.filter((line) => !/^\s*(?:#|$)/.test(line)).join("\n"));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
