import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { isMirrorError } from "../../src/errors.js";
import { FIRST_LINE_PREVIOUS, type LedgerLine } from "../../src/manifest/ledger.js";
import { chooseStrategy } from "../../src/replica/choose.js";
import { checkGuards, type GuardFacts } from "../../src/replica/guards.js";
import { type Journal, readJournal, writeJournal } from "../../src/replica/journal.js";
import { planFollow, type TreePlan } from "../../src/replica/plan.js";
import {
  isNewest,
  type Position,
  readPosition,
  writePosition,
} from "../../src/replica/position.js";
import { NOTHING_REUSED } from "../../src/replica/reuse.js";
import { replicaStatus, writeLastCycle } from "../../src/replica/status.js";
import {
  NOTHING_TRUSTED,
  readTrustState,
  writeTrustState,
} from "../../src/replica/trusted-head.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import { paths } from "./support/entries.js";
import { KEYS, SESSION } from "./support/publication.js";

const HASH = "B".repeat(43);
const POSITION: Position = {
  session: SESSION,
  chain: 1000,
  set: { kind: "increment", from: 1000, time: 2000 },
  manifestHash: HASH,
  lastLineHash: HASH,
  entryCount: 12,
  tree: { inode: "18446744073709551615", birth: "1700000000123456789", mtime: -5 },
  filter: '{"include":["a"],"exclude":[]}',
};

const HEAD = {
  mirror: "test",
  session: SESSION,
  generation: 3,
  publishedAt: 1_700_000_000_000,
  expiresAt: 1_800_000_000_000,
  newest: { chain: 1000, set: POSITION.set },
  ledgers: [
    { chain: 500, sizeBytes: 10, lastLineHash: "C".repeat(43) },
    { chain: 1000, sizeBytes: 10, lastLineHash: HASH },
  ],
  sources: [],
};

const TABLE = { kind: "inline", bytes: new Uint8Array() } as const;
const FULL: LedgerLine = {
  previous: FIRST_LINE_PREVIOUS,
  set: { kind: "full", time: 1000 },
  manifestHash: "E".repeat(43),
  shape: { k: 1, n: 1 },
  entryCount: 1,
  volumes: TABLE,
  records: TABLE,
  contents: TABLE,
};
const LINEAGE = [FULL, { ...FULL, set: POSITION.set, manifestHash: HASH }];

test("the record of the last cycle may be damaged: the status is told without it", () => {
  const replica = new TestReplica(fastTemporaryFolder(), []);
  const { config, runtime } = replica;
  for (const damaged of ["", "{", "[]", '{"at":1}']) {
    writeFileSync(`${replica.state}/last-cycle.json`, damaged);
    expect(replicaStatus(config, runtime.clock).lastCycle).toBeUndefined();
  }
  writeLastCycle(replica.state, { at: 5, outcome: { kind: "done", strategy: "none" } });
  expect(replicaStatus(config, runtime.clock).lastCycle).toMatchObject({ at: 5 });
});

describe("a position", () => {
  test("is read as it was written", () => {
    const file = `${fastTemporaryFolder()}/position.json`;
    expect(readPosition(file)).toBeUndefined();
    writePosition(file, POSITION);
    expect(readPosition(file)).toEqual(POSITION);
  });

  test("that is cut anywhere is refused", () => {
    const file = `${fastTemporaryFolder()}/position.json`;
    writePosition(file, POSITION);
    const whole = readFileSync(file);
    for (let size = 0; size < whole.length - 1; size++) {
      writeFileSync(file, whole.subarray(0, size));
      expect(() => readPosition(file)).toThrow(expect.objectContaining({ code: "DISK_FAILED" }));
    }
  });

  test.each([
    ["another session", { session: "21111111-2222-4333-8444-555555555555" }],
    ["another chain", { newest: { chain: 500, set: { kind: "full", time: 500 } } }],
    [
      "a later set",
      { newest: { chain: 1000, set: { kind: "increment", from: 2000, time: 3000 } } },
    ],
    [
      "a longer ledger",
      { ledgers: [{ chain: 1000, sizeBytes: 20, lastLineHash: "D".repeat(43) }] },
    ],
  ] as const)("is not the newest for a head with %s", (_, changes) => {
    expect(isNewest(POSITION, HEAD)).toBe(true);
    expect(isNewest(POSITION, { ...HEAD, ...changes })).toBe(false);
  });
});

describe("a journal", () => {
  const journal: Journal = {
    position: POSITION,
    publishLast: paths("a/InRelease"),
    attributes: [{ path: toTreePath("f\xff"), mode: 0o4755, mtime: 3, uid: 0, gid: 7 }],
    deletes: paths("gone", "gone/\x01"),
    directories: [
      { path: toTreePath(""), mtime: 9 },
      { path: toTreePath("d"), mode: 0o700 },
    ],
  };

  test("is read as it was written, whatever bytes its paths have", () => {
    const file = `${fastTemporaryFolder()}/journal.json`;
    expect(readJournal(file)).toBeUndefined();
    writeJournal(file, journal);
    expect(readJournal(file)).toMatchObject(journal);
  });

  test("that is cut anywhere is refused: it must not be obeyed", () => {
    const file = `${fastTemporaryFolder()}/journal.json`;
    writeJournal(file, journal);
    const whole = readFileSync(file);
    for (let size = 0; size < whole.length; size++) {
      writeFileSync(file, whole.subarray(0, size));
      expect(() => readJournal(file)).toThrow(expect.objectContaining({ code: "DISK_FAILED" }));
    }
  });

  test.each(["../x", "/etc/passwd", "a/../../x", "a//b"])("with a path %j is refused", (path) => {
    const file = `${fastTemporaryFolder()}/journal.json`;
    writeJournal(file, journal);
    const text = readFileSync(file, "utf8").replace('"gone"', JSON.stringify(path));
    writeFileSync(file, text);
    expect(() => readJournal(file)).toThrow(expect.objectContaining({ code: "DISK_FAILED" }));
  });
});

describe("what is trusted", () => {
  const state = {
    trusted: { head: HEAD, retiredSessions: ["31111111-2222-4333-8444-555555555555"] },
    keys: [KEYS.verifierKey],
    etags: new Map([["https://a.example/", 'W/"1"']]),
  };

  test("is read as it was written", () => {
    const file = `${fastTemporaryFolder()}/trusted.json`;
    expect(readTrustState(file)).toBe(NOTHING_TRUSTED);
    writeTrustState(file, state);
    expect(readTrustState(file)).toEqual(state);
  });

  test("is not forgotten when its file is damaged", () => {
    const file = `${fastTemporaryFolder()}/trusted.json`;
    writeTrustState(file, state);
    const whole = readFileSync(file);
    for (let size = 0; size < whole.length - 1; size++) {
      writeFileSync(file, whole.subarray(0, size));
      expect(() => readTrustState(file)).toThrow(expect.objectContaining({ code: "DISK_FAILED" }));
    }
  });

  test("is not written while it is nothing", () => {
    const file = `${fastTemporaryFolder()}/trusted.json`;
    writeTrustState(file, NOTHING_TRUSTED);
    expect(readTrustState(file)).toBe(NOTHING_TRUSTED);
  });
});

describe("the strategy", () => {
  const facts = { head: HEAD, lineage: LINEAGE, isTreeEmpty: false, filter: POSITION.filter };

  test.each([
    ["an empty tree", { position: undefined, isTreeEmpty: true }, { kind: "fresh" }],
    ["a tree without a position", { position: undefined }, { kind: "rebase" }],
    ["the newest set", { position: POSITION }, { kind: "none" }],
    [
      "an older set",
      { position: { ...POSITION, set: FULL.set, manifestHash: FULL.manifestHash } },
      { kind: "follow", first: 1 },
    ],
    ["another chain", { position: { ...POSITION, chain: 500 } }, { kind: "rebase" }],
    ["another session", { position: { ...POSITION, session: "x" } }, { kind: "rebase" }],
    ["another part of the tree", { position: { ...POSITION, filter: "" } }, { kind: "rebase" }],
    [
      "a set with the same times and another manifest",
      { position: { ...POSITION, manifestHash: "x" } },
      { kind: "rebase" },
    ],
  ])("for %s", (_, changes, expected) => {
    expect(chooseStrategy({ ...facts, ...changes })).toEqual(expected);
  });

  test("is none without a lineage: that is a gap", () => {
    expect(() => chooseStrategy({ ...facts, position: POSITION, lineage: [] })).toThrow(
      expect.objectContaining({ code: "GAP" }),
    );
  });
});

describe("the guards", () => {
  const much = { bytes: 1e12, inodes: 1e9 };

  test.each<[string, Partial<Facts>, string | undefined]>([
    ["let a small update pass", { deletes: 10, entryCount: 1000 }, undefined],
    ["let few deletes pass in a small tree", { deletes: 100, entryCount: 100 }, undefined],
    ["stop a large part", { deletes: 101, entryCount: 1000 }, "DELETE_GUARD"],
    ["let the same pass in a large tree", { deletes: 101, entryCount: 2020 }, undefined],
    ["stop too many", { deletes: 1001, entryCount: 1e6 }, "DELETE_GUARD"],
    ["let all pass when told to", { deletes: 1001, entryCount: 1001, forcePurge: true }, undefined],
    [
      "stop what does not fit",
      { stagedBytes: 1e6, free: { bytes: 1e6, inodes: 1e9 } },
      "DISK_SPACE",
    ],
    [
      "stop what needs too many inodes",
      { written: 9, free: { bytes: 1e12, inodes: 9 } },
      "DISK_SPACE",
    ],
    [
      "stop space even when deletes are forced",
      { stagedBytes: 1, free: { bytes: 1, inodes: 1e9 }, forcePurge: true },
      "DISK_SPACE",
    ],
    ["let nothing pass on a full disk", { free: { bytes: 0, inodes: 0 } }, undefined],
  ])("%s", (_, changes, code) => {
    const facts = guardFacts({
      deletes: 0,
      entryCount: 10,
      stagedBytes: 0,
      written: 0,
      free: much,
      forcePurge: false,
      ...changes,
    });
    const { config } = new TestReplica(fastTemporaryFolder(), []);
    const mirror = { ...config, delete: { maxPercent: 5, maxFiles: 1000, protect: [] } };
    expect(codeOf(() => checkGuards(mirror, facts))).toBe(code);
  });
});

interface Facts {
  readonly deletes: number;
  readonly entryCount: number;
  readonly stagedBytes: number;
  readonly written: number;
  readonly free: GuardFacts["free"];
  readonly forcePurge: boolean;
}

function guardFacts({ deletes, stagedBytes, written, ...facts }: Facts): GuardFacts {
  const rules = {
    ownerOf: () => undefined,
    isProtected: () => false,
    isWanted: () => true,
    rankOf: () => undefined,
  };
  const nothing = planFollow(0, [], () => undefined, rules);
  const plan: TreePlan = {
    ...nothing,
    deletes: Array.from({ length: deletes }, (_, at) => toTreePath(`gone-${at}`)),
    counts: { ...nothing.counts, stagedBytes, written },
  };
  return { plan, reused: NOTHING_REUSED, ...facts };
}

/** Of what `work` throws. */
function codeOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    return error.code;
  }
}
