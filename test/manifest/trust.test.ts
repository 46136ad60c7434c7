import { describe, expect, test } from "vitest";
import type { Head } from "../../src/manifest/head.js";
import { judgeHead, type TrustedHead } from "../../src/manifest/trust.js";
import { hashText, sampleHead } from "./samples.js";

const NOW = Date.UTC(2023, 10, 15);
const OTHER_SESSION = "11111111-2222-4333-8444-555555555555";
const RETIRED_SESSION = "99999999-2222-4333-8444-555555555555";
const trusted: TrustedHead = { head: sampleHead(), retiredSessions: [RETIRED_SESSION] };

describe("a head is new", () => {
  test("when none was trusted before", () => {
    expect(judgeFirst(sampleHead())).toBe("new");
  });

  test("when its generation is higher", () => {
    expect(judge(sampleHead({ generation: 8 }))).toBe("new");
    expect(judge(sampleHead({ generation: 900 }))).toBe("new");
  });

  test("when it begins a session that was never seen, later than all we know", () => {
    const publishedAt = sampleHead().publishedAt + 1;
    expect(judge(sampleHead({ session: OTHER_SESSION, generation: 1, publishedAt }))).toBe("new");
  });

  test("when a ledger grew, another was dropped and a third began", () => {
    const [ledger = { chain: 0, sizeBytes: 0, lastLineHash: "" }] = sampleHead().ledgers;
    const before = sampleHead({ ledgers: [{ ...ledger, chain: 5 }, ledger] });
    const grown = { ...ledger, sizeBytes: ledger.sizeBytes + 1, lastLineHash: hashText("more") };
    const later = { ...ledger, chain: ledger.chain + 9, lastLineHash: hashText("third") };
    const head = sampleHead({ generation: 8, ledgers: [grown, later] });
    expect(judge(head, { head: before, retiredSessions: [] })).toBe("new");
  });
});

test("a head is the same when it says the same", () => {
  expect(judge(sampleHead())).toBe("same");
});

describe("rule 3: a head of another mirror", () => {
  test("is refused, also as the first", () => {
    const expected = refusal("HEAD_INVALID", "it is of mirror other, expected pub");
    expect(() => judgeFirst(sampleHead({ mirror: "other" }))).toThrow(expected);
    expect(() => judge(sampleHead({ mirror: "other", generation: 8 }))).toThrow(expected);
  });
});

describe("rule 4: an expired head", () => {
  test("is refused from its last moment on", () => {
    const { expiresAt } = sampleHead();
    expect(judge(sampleHead(), trusted, expiresAt - 1)).toBe("same");
    const expected = refusal("HEAD_EXPIRED", "expired at 2023-11-16T22:15:00.000Z: ");
    expect(() => judge(sampleHead(), trusted, expiresAt)).toThrow(expected);
    expect(() => judgeFirst(sampleHead(), expiresAt)).toThrow(expected);
    expect(() => judge(sampleHead({ generation: 8 }), trusted, expiresAt)).toThrow(expected);
  });

  test("is called a rollback when it is one", () => {
    const { expiresAt } = sampleHead();
    const expected = refusal("HEAD_ROLLBACK", "");
    expect(() => judge(sampleHead({ generation: 6 }), trusted, expiresAt)).toThrow(expected);
  });
});

describe("rule 5: a head of another session", () => {
  test("is refused when that session was given up", () => {
    const publishedAt = sampleHead().publishedAt + 1;
    const head = sampleHead({ session: RETIRED_SESSION, generation: 99, publishedAt });
    expect(() => judge(head)).toThrow(
      refusal("HEAD_ROLLBACK", `session ${RETIRED_SESSION} was given up for`),
    );
  });

  test("is refused when it was not published later", () => {
    for (const age of [0, 1, 1_000_000]) {
      const publishedAt = sampleHead().publishedAt - age;
      const head = sampleHead({ session: OTHER_SESSION, generation: 99, publishedAt });
      expect(() => judge(head)).toThrow(refusal("HEAD_ROLLBACK", "new session was published at"));
    }
  });
});

test("rule 6: a lower generation is refused", () => {
  expect(() => judge(sampleHead({ generation: 6 }))).toThrow(
    refusal("HEAD_ROLLBACK", "generation 6 is older than 7, which was seen before"),
  );
});

describe("rule 7: another head of the same generation", () => {
  test.each<[string, Partial<Head>]>([
    ["that lives longer", { expiresAt: Date.UTC(2024, 0, 1) }],
    ["with other sources", { sources: [] }],
    ["with another ledger", { ledgers: [] }],
    ["with a key to come", { nextKey: "key" }],
  ])("%s is refused", (_, changes) => {
    expect(() => judge(sampleHead(changes))).toThrow(
      refusal("HEAD_INVALID", "two different heads of generation 7"),
    );
  });
});

describe("rule 8: a ledger", () => {
  test.each([
    ["that is shorter", { sizeBytes: 1233 }],
    ["that ends otherwise", { lastLineHash: hashText("other") }],
  ])("%s is refused", (_, changes) => {
    const ledgers = sampleHead().ledgers.map((ledger) => ({ ...ledger, ...changes }));
    expect(() => judge(sampleHead({ generation: 8, ledgers }))).toThrow(
      refusal("HEAD_INVALID", "the ledger of chain 1700000000 was cut or written anew"),
    );
  });
});

function judge(head: Head, last: TrustedHead = trusted, now = NOW): string {
  return judgeHead({ head, trusted: last, mirror: "pub", now });
}

function judgeFirst(head: Head, now = NOW): string {
  return judgeHead({ head, trusted: undefined, mirror: "pub", now });
}

function refusal(code: string, part: string): unknown {
  const message: unknown = expect.stringContaining(part);
  return expect.objectContaining({ code, message });
}
