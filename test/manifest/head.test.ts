import { describe, expect, test } from "vitest";
import { formatHead, parseHead } from "../../src/manifest/head.js";
import { makeKeyPair, parseSigningKey } from "../../src/manifest/keys.js";
import { signNote } from "../../src/manifest/signed-note.js";
import { FULL, hashText, sampleHead } from "./samples.js";

const GOLDEN = `{
  "version": 1,
  "mirror": "pub",
  "session": "0b8f2f3e-5a41-4c9a-9d0e-1f2a3b4c5d6e",
  "generation": 7,
  "publishedAt": "2023-11-14T22:15:00.000Z",
  "expiresAt": "2023-11-16T22:15:00.000Z",
  "newest": {"chain":1700000000,"set":"inc.20231114T221320Z.to.20231114T221420Z"},
  "ledgers": [
    {"chain":1700000000,"size":1234,"last":"${hashText("last")}"}
  ],
  "sources": [
    {"name":"a","url":"https://a.example.org/pub","shares":[0]},
    {"name":"b","url":"https://b.example.org/pub","shares":[1,2]}
  ]
}
`;

const KEYS = makeKeyPair("pub", new Uint8Array(32).fill(9));

describe("heads", () => {
  test("are written as they always were", () => {
    expect(Buffer.from(formatHead(sampleHead())).toString()).toBe(GOLDEN);
  });

  test.each([
    ["with sources and ledgers", sampleHead()],
    ["without sources", sampleHead({ sources: [] })],
    ["with a key to come", sampleHead({ nextKey: KEYS.verifierKey })],
    ["of a full set", sampleHead({ newest: { chain: 1_700_000_000, set: FULL } })],
  ])("%s are read as they were written", (_, head) => {
    expect(parseHead(formatHead(head))).toEqual(head);
  });

  test("of a mirror on twelve hosts that retains six chains fit into 4 KiB", () => {
    const sources = Array.from({ length: 12 }, (_, share) => ({
      name: `mirror${share}`,
      url: `https://mirror${share}.some-university.example.org/dupmirror/pub`,
      shares: [share],
    }));
    const ledgers = Array.from({ length: 6 }, (_, at) => ({
      chain: 1_700_000_000 - (5 - at) * 2_592_000,
      sizeBytes: 60_000_000,
      lastLineHash: hashText(`chain ${at}`),
    }));
    const head = sampleHead({ sources, ledgers, nextKey: KEYS.verifierKey });
    const note = signNote(formatHead(head), parseSigningKey(KEYS.signingKey));
    expect(note.length).toBeLessThan(4096);
    expect(parseHead(formatHead(head))).toEqual(head);
  });
});

describe("a head is refused", () => {
  test.each([
    ["of another version", '"version": 1', '"version": 2'],
    ["with a field too many", '"generation": 7', '"generation": 7, "more": 1'],
    ["with a field too few", '  "generation": 7,\n', ""],
    ["of generation 0", '"generation": 7', '"generation": 0'],
    ["of a generation that is no whole number", '"generation": 7', '"generation": 7.5'],
    ["of a generation above 2^53", '"generation": 7', '"generation": 9007199254740993'],
    ["with a session that is no UUID", "0b8f2f3e-", "0b8f2f3e/"],
    ["with a session that leaves its folder", "0b8f2f3e-5a41-4c9a-9d0e-1f2a3b4c5d6e", "../../x"],
    ["with a time in another form", "22:15:00.000Z", "22:15:00Z"],
    ["with a day that does not exist", "2023-11-16T", "2023-11-31T"],
    ["that expires before it is published", "2023-11-16T", "2023-11-13T"],
    ["with a set that is none", "inc.20231114T221320Z", "inc.20231114"],
    [
      "with a set older than its chain",
      '"newest": {"chain":1700000000',
      '"newest": {"chain":1800000000',
    ],
    ["without its newest set's ledger", '{"chain":1700000000,"size"', '{"chain":1700000001,"size"'],
    ["with an empty ledger", '"size":1234', '"size":0'],
    ["with a ledger above 64 MiB", '"size":1234', '"size":67108865'],
    ["with a short hash", hashText("last"), hashText("last").slice(1)],
    ["with a share that cannot be", '"shares":[0]', '"shares":[30]'],
    ["with a negative share", '"shares":[0]', '"shares":[-1]'],
    ["with a source without a name", '"name":"a"', '"name":""'],
    ["with null for a number", '"size":1234', '"size":null'],
    ["that is no object", GOLDEN, "[]\n"],
    ["that is no JSON", GOLDEN, GOLDEN.slice(1)],
    ["with a next key that is none", '"generation": 7', '"generation": 7, "nextKey": "pub+1+2"'],
  ])("%s", (_, from, to) => {
    const text = GOLDEN.replace(from, to);
    expect(text).not.toBe(GOLDEN);
    expect(() => parseHead(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: "HEAD_INVALID" }),
    );
  });

  test("with a message that names the field", () => {
    const text = GOLDEN.replace('"size":1234', '"size":-1');
    expect(() => parseHead(Buffer.from(text))).toThrow(/^the head is refused: ledgers\.0\.size: /);
  });

  test("when its ledgers are out of order, or a chain has two", () => {
    const ledger = sampleHead().ledgers;
    const older = { chain: 1_600_000_000, sizeBytes: 1, lastLineHash: hashText("old") };
    expect(parseHead(formatHead(sampleHead({ ledgers: [older, ...ledger] }))).ledgers).toHaveLength(
      2,
    );
    for (const ledgers of [
      [...ledger, older],
      [...ledger, ...ledger],
    ]) {
      expect(() => parseHead(formatHead(sampleHead({ ledgers })))).toThrow("not in order");
    }
  });

  test("cut anywhere", () => {
    for (let size = 0; size < GOLDEN.length - 1; size++) {
      expect(() => parseHead(Buffer.from(GOLDEN.slice(0, size)))).toThrow(
        expect.objectContaining({ code: "HEAD_INVALID" }),
      );
    }
  });

  test("above 4 KiB or not in UTF-8", () => {
    const long = Buffer.from(GOLDEN + " ".repeat(4096));
    expect(() => parseHead(long)).toThrow(/bytes, 4096 at most/);
    const latin1 = Buffer.from(GOLDEN.replace('"pub"', '"p\xe9b"'), "latin1");
    expect(() => parseHead(latin1)).toThrow("no JSON");
  });
});
