/**
 * Hostile volumes from end to end: a master that publishes somebody else's repository, plain or encrypted, and a replica. Either
 * the one or the other refuses them in one line, or obeys what is no more than odd; nothing outside of the tree changes.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exitStatusOf } from "../../src/cli/exit-status.js";
import { isMirrorError } from "../../src/errors.js";
import { type Bench, KEYS, makeBench } from "../master/support/master-bench.js";
import { ascii, unhex } from "../support/bytes.js";
import { syncInProcess } from "../support/in-process.js";
import { longName, paxHeader, tarEntry } from "../support/tar.js";
import { fastLastingFolder, fastTemporaryFolder, removeFolder } from "../support/temporary.js";
import { fingerprintTree, listTree } from "../support/tree-compare.js";
import { fileUrl, makeReplica, type Replica } from "../support/workspace.js";
import {
  device,
  file,
  folder,
  gone,
  link,
  NO_GPG,
  PASSPHRASE,
  type Part,
  patch,
  raw,
  stopAgent,
  type Wrap,
  writeSet,
} from "./support/hand-made.js";

const FULL = "full.20231114T221320Z";
const INCREMENT = "inc.20231114T221320Z.to.20231114T221500Z";
const OTHER = ascii("other");

/** What every replica has before the hostile increment comes. */
const TREE: readonly Part[] = [
  folder(""),
  folder("d"),
  file("d/f", ascii("f")),
  file("f", OTHER),
  link("l", "../outside"),
];

const piece = (number: number, changes = {}) =>
  tarEntry({ name: `multivol_snapshot/p/${number}`, data: ascii("piece"), ...changes });

interface Increment {
  readonly what: string;
  readonly volumes: readonly (readonly Part[])[];
}

function increment(what: string, ...volumes: readonly (readonly Part[])[]): Increment {
  return { what, volumes };
}

const REFUSED: readonly Increment[] = [
  increment("a path with ..", [raw(tarEntry({ name: "snapshot/../outside/f", data: OTHER }))]),
  increment("a path that ends in ..", [raw(tarEntry({ name: "deleted/d/.." }))]),
  increment("an absolute path", [raw(tarEntry({ name: "snapshot//etc/passwd", data: OTHER }))]),
  increment("a path with a NUL", [
    raw(paxHeader({ path: "snapshot/a\0b" }), tarEntry({ name: "x" })),
  ]),
  increment("a path with . inside", [raw(tarEntry({ name: "snapshot/d/./f", data: OTHER }))]),
  increment("a path longer than any", [
    raw(longName(`snapshot/${"d/".repeat(2100)}f`), tarEntry({ name: "x" })),
  ]),
  increment("a file below a symlink of the tree", [file("l/f", OTHER)]),
  increment("a file below a symlink of its own", [link("s", "../outside"), file("s/f", OTHER)]),
  increment("a file in a folder that it turns into a symlink", [
    link("d", "../outside"),
    file("d/f", OTHER),
  ]),
  increment("a file below a file", [file("f", OTHER), file("f/g", OTHER)]),
  increment("a file in what it deletes", [gone("d"), file("d/g", OTHER)]),
  increment("a root that is a symlink", [
    raw(tarEntry({ name: "snapshot/.", type: "2", link: "/etc" })),
  ]),
  increment("a deletion of the root", [raw(tarEntry({ name: "deleted/." }))]),
  increment("a deletion with content", [raw(tarEntry({ name: "deleted/f", data: OTHER }))]),
  increment("a path twice", [file("g", OTHER), file("g", OTHER)]),
  increment("paths out of order", [file("h", OTHER), file("g", OTHER)]),
  increment("paths out of order over volumes", [file("h", OTHER)], [file("g", OTHER)]),
  increment("a size of an exabyte", [
    raw(tarEntry({ name: "snapshot/g", size: "\x80\0\0\0\x0e\0\0\0\0\0\0\0" })),
  ]),
  increment("a size beyond its volume", [
    raw(paxHeader({ size: "9007199254740991" }), tarEntry({ name: "snapshot/g" })),
  ]),
  increment("a negative size", [raw(tarEntry({ name: "snapshot/g", size: "\xff".repeat(12) }))]),
  increment("a hard link out of the tree", [
    raw(tarEntry({ name: "snapshot/g", type: "1", link: "/etc/passwd" })),
  ]),
  increment("a header for all that follows", [
    raw(tarEntry({ name: "x", type: "g", data: ascii("16 path=../../x\n") })),
  ]),
  increment("a sparse file", [
    raw(paxHeader({ "GNU.sparse.size": "1000000000000" }), tarEntry({ name: "snapshot/g" })),
  ]),
  increment("a kind that there is not", [raw(tarEntry({ name: "exec/g", data: OTHER }))]),
  increment("pieces out of order", [raw(piece(1), piece(3), piece(2))]),
  increment("a piece that is missing", [raw(piece(1))], [raw(piece(3))]),
  increment("a first piece that is missing", [raw(piece(2))]),
  increment("a piece of another mode", [raw(piece(1), piece(2, { mode: "0004755\0" }))]),
  increment("a piece without a number", [
    raw(tarEntry({ name: "multivol_snapshot/p/one", data: OTHER })),
  ]),
  increment("a delta of what is not there", [patch("g", unhex("72730236 4500 0500"), OTHER)]),
  increment("a delta that is none", [patch("f", ascii("what?"), OTHER)]),
  increment("a delta that copies from beyond its base", [
    patch("f", unhex("72730236 4502 0500"), OTHER),
  ]),
  increment("a delta that makes something else", [
    patch("f", unhex("72730236 4500 0401 7800"), OTHER),
  ]),
  increment("a delta that makes a petabyte", [
    patch("f", unhex("72730236 48 00 0004000000000000 00"), OTHER),
  ]),
  increment("signatures of something else", [
    { ...file("g", OTHER), signature: file("h", OTHER).tar },
  ]),
  increment("a link whose text has a NUL", [
    raw(paxHeader({ linkpath: "a\0b" }), tarEntry({ name: "snapshot/g", type: "2" })),
  ]),
];

const HARMLESS: readonly Increment[] = [
  increment("a working folder", [
    folder(".dupmirror"),
    file(".dupmirror/journal", OTHER),
    folder(".dupmirror/stage"),
  ]),
  increment("a symlink in place of the working folder", [link(".dupmirror", "../outside")]),
  increment("a deletion through a symlink", [gone("l/kept")]),
  increment("a deletion below a folder that it turns into a symlink", [
    link("d", "../outside"),
    gone("d/kept"),
  ]),
  increment("a symlink to everywhere", [link("g", "/"), link("h", "../../..")]),
  increment("a device", [device("g")]),
  increment("set-id bits", [
    {
      ...file("g", OTHER),
      tar: tarEntry({ name: "snapshot/g", mode: "0006755\0", data: OTHER }),
    },
  ]),
];

/** What is not a failure, nor content that is refused: a set that is none of a directory, and one without room. */
const STATUSES: Readonly<Record<string, number[]>> = {
  "a root that is a symlink": [2],
  "a delta that makes a petabyte": [8],
};

const WRAPS: readonly Wrap[] = [
  "plain",
  ...(process.env["SLOW"] === undefined ? [] : (["gzip"] as const)),
  ...(NO_GPG === undefined ? (["gpg"] as const) : []),
];

describe.each(WRAPS)(`%s volumes ${NO_GPG ?? ""}`, (wrap) => {
  const gnupgHome = path.join(fastLastingFolder(), "gnupg");
  const begun = path.join(gnupgHome, "../begun");
  beforeAll(() => writeSet(begun, gnupgHome, { times: FULL, volumes: [TREE], wrap }));
  afterAll(() => {
    stopAgent(gnupgHome);
    removeFolder(path.dirname(gnupgHome));
  });

  test.each(REFUSED)("with $what are refused", async ({ what, volumes }) => {
    const site = await makeSite(begun);
    const before = fingerprintTree(site.replica.tree);
    writeSet(site.repository, gnupgHome, { times: INCREMENT, volumes, wrap });
    const refusal = (await refusalOf(site.master.publish())) ?? (await syncRefusal(site.replica));
    expect(refusal?.exitCode).toBeOneOf(STATUSES[what] ?? [1, 5]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
    expect(refusal?.message).toMatch(/^[^\u0000-\u001f\u007f-\u009f]+$/);
    expect(fingerprintTree(site.replica.tree)).toBe(before);
    site.expectUntouched();
  });

  test.each(HARMLESS)("with $what stay inside the tree", async ({ volumes }) => {
    const site = await makeSite(begun);
    writeSet(site.repository, gnupgHome, { times: INCREMENT, volumes, wrap });
    await site.master.publish();
    expect(await syncInProcess(site.replica)).toEqual({ kind: "synced" });
    site.expectUntouched();
  });
});

interface Site {
  readonly repository: string;
  readonly master: Bench;
  readonly replica: Replica;
  /** Nothing beside the tree has changed, and nothing of ours is left in it. */
  expectUntouched(): void;
}

/** A replica that follows a repository of which it has the first set, beside folders that are none of its business. */
async function makeSite(begun: string): Promise<Site> {
  const work = fastTemporaryFolder();
  const repository = path.join(work, "repository");
  cpSync(begun, repository, { recursive: true });
  const { duplicity } = makeBench(work).config;
  const master = makeBench(work, { duplicity: { ...duplicity, engine: "external" } });
  await master.publish();
  const place = path.join(work, "replica");
  mkdirSync(path.join(place, "outside/d"), { recursive: true });
  for (const kept of ["kept", "f", "g", "d/f"])
    writeFileSync(path.join(place, "outside", kept), kept);
  const passphraseFile = path.join(work, "passphrase");
  writeFileSync(passphraseFile, `${PASSPHRASE}\n`);
  const keyFile = path.join(work, "key");
  writeFileSync(keyFile, KEYS.verifierKey);
  const sources = [fileUrl(path.join(work, "publication"))];
  const more = { decryption: { passphraseFile } };
  const replica = makeReplica(place, { sources, keyFile, more });
  expect(await syncInProcess(replica)).toEqual({ kind: "synced" });
  const outside = listTree(path.join(place, "outside"));
  return {
    repository,
    master,
    replica,
    expectUntouched: () => {
      expect(listTree(path.join(place, "outside"))).toEqual(outside);
      expect(readdirSync(place).sort()).toEqual(["outside", "replica.yaml", "state", "tree"]);
      expect(existsSync(path.join(replica.tree, ".dupmirror"))).toBe(false);
    },
  };
}

interface Refused {
  readonly exitCode: number;
  readonly message: string;
}

async function refusalOf(doing: Promise<unknown>): Promise<Refused | undefined> {
  try {
    await doing;
    return undefined;
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    return { exitCode: exitStatusOf(error.code), message: error.message };
  }
}

async function syncRefusal(replica: Replica): Promise<Refused | undefined> {
  const outcome = await syncInProcess(replica);
  return outcome.kind === "refused" ? outcome : undefined;
}
