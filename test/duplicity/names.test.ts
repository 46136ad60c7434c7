import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatSetName, parseFileName, parseSetName, sameSet } from "../../src/duplicity/names.js";
import type { SetId } from "../../src/duplicity/set-id.js";

const FULL: SetId = { kind: "full", time: 1700000000 };
const INCREMENT: SetId = { kind: "increment", from: 1700000000, time: 1700000100 };
const T1 = "20231114T221320Z";
const T2 = "20231114T221500Z";
const OLD_T1 = "2023-11-14T17:13:20-05:00";

const ids = fc
  .tuple(fc.boolean(), fc.integer({ min: 0, max: 2 ** 32 }), fc.integer({ min: 1, max: 2 ** 20 }))
  .map(
    ([isFull, from, length]): SetId =>
      isFull ? { kind: "full", time: from } : { kind: "increment", from, time: from + length },
  );

describe("parseFileName", () => {
  it.each([
    [`duplicity-full.${T1}.vol1.difftar`, FULL, "volume", 1, "plain"],
    [`duplicity-full.${T1}.vol10.difftar.gz`, FULL, "volume", 10, "gzip"],
    [`duplicity-full.${T1}.vol123456.difftar.gpg`, FULL, "volume", 123456, "gpg"],
    [`duplicity-inc.${T1}.to.${T2}.vol2.difftar.gz`, INCREMENT, "volume", 2, "gzip"],
    [`duplicity-full.${T1}.manifest`, FULL, "manifest", 0, "plain"],
    [`duplicity-full.${T1}.manifest.gpg`, FULL, "manifest", 0, "gpg"],
    [`duplicity-full.${T1}.manifest.gz`, FULL, "manifest", 0, "gzip"],
    [`duplicity-inc.${T1}.to.${T2}.manifest`, INCREMENT, "manifest", 0, "plain"],
    [`duplicity-full-signatures.${T1}.sigtar.gz`, FULL, "signatures", 0, "gzip"],
    [`duplicity-new-signatures.${T1}.to.${T2}.sigtar`, INCREMENT, "signatures", 0, "plain"],
    [`duplicity-full.${OLD_T1}.vol3.difftar.gz`, FULL, "volume", 3, "gzip"],
    [
      `duplicity-inc.${OLD_T1}.to.2023-11-14T17:15:00-05:00.manifest`,
      INCREMENT,
      "manifest",
      0,
      "plain",
    ],
    ["duplicity-full.2023-11-14T17_13_20-05_00.manifest", FULL, "manifest", 0, "plain"],
    ["df.s44we8.1.dt.z", FULL, "volume", 1, "gzip"],
    ["df.s44we8.a.dt", FULL, "volume", 10, "plain"],
    ["di.s44we8.s44wh0.2.dt.g", INCREMENT, "volume", 2, "gpg"],
    ["df.s44we8.m", FULL, "manifest", 0, "plain"],
    ["di.s44we8.s44wh0.m.g", INCREMENT, "manifest", 0, "gpg"],
    ["dfs.s44we8.st.z", FULL, "signatures", 0, "gzip"],
    ["dns.s44we8.s44wh0.st", INCREMENT, "signatures", 0, "plain"],
  ])("reads %s", (name, set, role, number, wrapping) => {
    expect(parseFileName(name)).toEqual({ name, set, role, number, wrapping, partial: false });
  });

  it.each([
    `duplicity-full.${T1}.manifest.part`,
    `duplicity-full.${T1}.manifest.part.gpg`,
    `duplicity-full-signatures.${T1}.sigtar.part`,
    `duplicity-new-signatures.${T1}.to.${T2}.sigtar.part.gz`,
    "df.s44we8.m.p",
    "dfs.s44we8.st.p.z",
  ])("marks %s as partial", (name) => {
    expect(parseFileName(name)?.partial).toBe(true);
  });

  it.each([
    "",
    "README",
    "lockfile",
    `duplicity-full.${T1}.vol0.difftar`,
    `duplicity-full.${T1}.vol01.difftar`,
    `duplicity-full.${T1}.vol1.difftar.bz2`,
    `duplicity-full.${T1}.vol1.difftar.gz.gpg`,
    `duplicity-full.${T1}.vol1.difftar.g`,
    `duplicity-full.${T1}.vol1.difftar.part`,
    `duplicity-full.${T1}.vol1`,
    `duplicity-full.${T1}.jsonstat`,
    `duplicity-full.${T1}.sigtar`,
    `duplicity-full-signatures.${T1}.manifest`,
    `duplicity-full-signatures.${T1}.vol1.difftar`,
    `duplicity-full.${T1}.to.${T2}.manifest`,
    `duplicity-inc.${T1}.manifest`,
    `duplicity-inc.${T2}.to.${T1}.manifest`,
    `duplicity-inc.${T1}.to.${T1}.manifest`,
    "duplicity-full.20231314T221320Z.manifest",
    "duplicity-full.20230229T221320Z.manifest",
    "duplicity-full.2023-11-14T17-13-20-05-00.manifest",
    "duplicity-full.2023-11-14T17:13_20-05:00.manifest",
    ` duplicity-full.${T1}.manifest`,
    `duplicity-full.${T1}.manifest\n`,
    `xduplicity-full.${T1}.manifest`,
    "df.s44we8.dt",
    "df.s44we8.0.dt",
    "df.s44we8.01.dt",
    "df.s44we8.st",
    "dfs.s44we8.m",
    "di.s44we8.m",
    "di.s44wh0.s44we8.m",
    "df.S44WE8.m",
  ])("does not know %j", (name) => {
    expect(parseFileName(name)).toBeUndefined();
  });

  it("takes the prefix of a repository off, and wants it", () => {
    const name = `host-a.duplicity-full.${T1}.vol7.difftar`;
    expect(parseFileName(name, { prefix: "host-a." })).toMatchObject({
      name,
      set: FULL,
      number: 7,
    });
    expect(parseFileName(name)).toBeUndefined();
    expect(parseFileName(`duplicity-full.${T1}.manifest`, { prefix: "host-a." })).toBeUndefined();
  });

  it("never fails, whatever the name", () => {
    const parts = fc.constantFrom(
      "duplicity-",
      "full.",
      "inc.",
      T1,
      ".to.",
      ".vol",
      "1",
      ".difftar",
      ".gz",
      "df.",
      ".m",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(parts, fc.string()), { maxLength: 9 }), (pieces) => {
        const name = pieces.join("");
        expect([undefined, name]).toContain(parseFileName(name)?.name);
      }),
    );
  });
});

describe("set names", () => {
  it("are those of duplicity's files", () => {
    expect(formatSetName(FULL)).toBe(`full.${T1}`);
    expect(formatSetName(INCREMENT)).toBe(`inc.${T1}.to.${T2}`);
  });

  it("are read back", () => {
    fc.assert(
      fc.property(ids, (id) => {
        expect(parseSetName(formatSetName(id))).toEqual(id);
      }),
    );
  });

  it.each([
    "",
    "full",
    `full.${T1}.`,
    `inc.${T1}`,
    `full.${T1}.to.${T2}`,
    `inc.${T2}.to.${T1}`,
    "full.now",
    `full.${T1}\n`,
  ])("are not %j", (text) => {
    expect(parseSetName(text)).toBeUndefined();
  });
});

describe("sameSet", () => {
  it("compares type and times", () => {
    expect(sameSet(FULL, { ...FULL })).toBe(true);
    expect(sameSet(INCREMENT, { ...INCREMENT })).toBe(true);
    expect(sameSet(INCREMENT, { ...INCREMENT, from: 1 })).toBe(false);
    expect(sameSet(INCREMENT, { ...INCREMENT, time: 1700000101 })).toBe(false);
    expect(sameSet(FULL, { kind: "increment", from: 0, time: FULL.time })).toBe(false);
  });
});
