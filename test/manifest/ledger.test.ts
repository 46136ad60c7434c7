import { describe, expect, test } from "vitest";
import { INLINE_TABLE_MAX_BYTES } from "../../src/limits.js";
import {
  FIRST_LINE_PREVIOUS,
  formatLedgerLine,
  hashLine,
  joinLedger,
  parseLedgerLine,
} from "../../src/manifest/ledger.js";
import { FULL, hashText, sampleLedger, sampleLine } from "./samples.js";

const GOLDEN = `{"version":1,"previous":"${hashText("previous")}","set":"inc.20231114T221320Z.to.20231114T221420Z",\
"manifest":"${hashText("manifest")}","k":2,"n":3,"entries":5,"volumes":"dm9sdW1lcw","records":"cmVjb3Jkcw",\
"contents":[[100,"${hashText("page 0")}",""],[90,"${hashText("page 1")}","caf\u00e9/\\"\\n"]]}
`;

const LARGEST = INLINE_TABLE_MAX_BYTES;
const refused: unknown = expect.objectContaining({ code: "LEDGER_INVALID" });

describe("a line", () => {
  test("is written as it always was", () => {
    expect(Buffer.from(formatLedgerLine(sampleLine())).toString()).toBe(GOLDEN);
  });

  test.each([
    ["of an increment", sampleLine()],
    ["of a full set", sampleLine({ set: FULL, shape: { k: 24, n: 30 } })],
    ["without entries", sampleLine({ entryCount: 0, contents: { kind: "paged", pages: [] } })],
    ["of a set that was withheld", sampleLine({ isWithheld: true })],
    ["of an encrypted set", sampleLine({ entryCount: 0, contents: undefined })],
    [
      "with all in it",
      sampleLine({ contents: { kind: "inline", bytes: Buffer.alloc(LARGEST, 1) } }),
    ],
  ])("%s is read as it was written", (_, line) => {
    expect(parseLedgerLine(formatLedgerLine(line))).toEqual(line);
  });

  test("of an encrypted set differs from one without entries", () => {
    const line = { entryCount: 0, contents: undefined };
    const text = Buffer.from(formatLedgerLine(sampleLine(line))).toString();
    expect(text).toContain('"entries":0,');
    expect(text).toContain('"contents":null}');
  });

  test("with entries but no contents is refused", () => {
    const line = formatLedgerLine(sampleLine({ contents: undefined }));
    expect(() => parseLedgerLine(line)).toThrow(refused);
  });

  test("with any byte changed is refused, or is the only form of what it says", () => {
    const line = Buffer.from(GOLDEN);
    let readCount = 0;
    for (const [at, byte] of line.entries()) {
      const bad = Buffer.from(line);
      bad[at] = byte ^ 1;
      readCount += readsAsWritten(bad);
    }
    // Within hashes, numbers and names another byte makes another line, whose hash no other line and no head names.
    expect(readCount).toBeGreaterThan(0);
    expect(readCount).toBeLessThan(line.length);
  });

  test("cut anywhere is refused", () => {
    for (let size = 0; size < GOLDEN.length; size++) {
      expect(() => parseLedgerLine(Buffer.from(GOLDEN).subarray(0, size))).toThrow(refused);
    }
  });

  test.each([
    ["of another version", '"version":1', '"version":2'],
    ["withheld, or perhaps not", "}\n", ',"withheld":false}\n'],
    ["with a field too many", '"k":2', '"k":2,"more":1'],
    ["with a field twice", '"k":2', '"k":2,"k":2'],
    ["with space within", '"k":2', '"k": 2'],
    ["with a number in another form", '"k":2', '"k":2.0'],
    ["with fields in another order", '"k":2,"n":3', '"n":3,"k":2'],
    ["of a shape that no code has", '"k":2', '"k":4'],
    ["of no shares", '"k":2', '"k":0'],
    ["of a set that is none", "inc.2023", "inc.x023"],
    ["of a set made upon itself", "to.20231114T221420Z", "to.20231114T221320Z"],
    ["with a page of no bytes", "[100,", "[0,"],
    ["with a page above 4 MiB", "[100,", "[4194305,"],
    ["with base64 of another kind", "dm9sdW1lcw", "dm9sdW1lcw=="],
    ["with base64 that has bits to spare", "dm9sdW1lcw", "dm9sdW1lcx"],
    ["without its line feed", "}\n", "}"],
    ["with two line feeds", "}\n", "}\n\n"],
  ])("%s is refused", (_, from, to) => {
    const text = GOLDEN.replace(from, to);
    expect(text).not.toBe(GOLDEN);
    expect(() => parseLedgerLine(Buffer.from(text))).toThrow(refused);
  });

  test("with a larger table in it than belongs there is refused", () => {
    const line = sampleLine({ contents: { kind: "inline", bytes: Buffer.alloc(LARGEST + 1, 1) } });
    expect(() => parseLedgerLine(formatLedgerLine(line))).toThrow(refused);
  });
});

describe("a ledger", () => {
  const increments = Array.from({ length: 4 }, (_, at) => ({
    kind: "increment" as const,
    from: 1_700_000_000 + at,
    time: 1_700_000_001 + at,
  }));
  const { bytes, lines, last } = sampleLedger(FIRST_LINE_PREVIOUS, [FULL, ...increments]);

  test("begins after the hash of nothing", () => {
    expect(FIRST_LINE_PREVIOUS).toBe(hashText(""));
  });

  test("is read whole", () => {
    expect(joinLedger({ bytes, previous: FIRST_LINE_PREVIOUS, last })).toEqual(lines);
  });

  test("is read from any line on", () => {
    const cuts = lineEnds(bytes);
    for (const [at, end] of cuts.entries()) {
      const start = cuts[at - 1] ?? 0;
      const previous = hashLine(bytes.subarray(start, end));
      const rest = joinLedger({ bytes: bytes.subarray(end), previous, last });
      expect(rest).toEqual(lines.slice(at + 1));
    }
  });

  test("is refused when it does not follow the line that was known", () => {
    expect(() => joinLedger({ bytes, previous: hashText("other"), last })).toThrow(
      "full.20231114T221320Z does not follow the line before it",
    );
  });

  test("is refused when it ends elsewhere than the head says", () => {
    const options = { bytes, previous: FIRST_LINE_PREVIOUS, last: hashText("other") };
    expect(() => joinLedger(options)).toThrow("does not end in the line that the head names");
    const empty = { bytes: new Uint8Array(0), previous: FIRST_LINE_PREVIOUS, last };
    expect(() => joinLedger(empty)).toThrow(refused);
  });

  test("is refused when a line is missing, or changed, or lines are swapped", () => {
    const [first = 0, second = 0, third = 0] = lineEnds(bytes);
    const parts = [
      bytes.subarray(0, first),
      bytes.subarray(first, second),
      bytes.subarray(second, third),
      bytes.subarray(third),
    ];
    for (const order of [
      [0, 2, 3],
      [0, 1, 3],
      [0, 2, 1, 3],
      [1, 2, 3],
      [0, 1, 1, 2, 3],
    ]) {
      const changed = Buffer.concat(order.map((at) => parts[at] ?? new Uint8Array(0)));
      const options = { bytes: changed, previous: FIRST_LINE_PREVIOUS, last };
      expect(() => joinLedger(options)).toThrow(refused);
    }
  });

  test("with any byte changed or cut anywhere is refused", () => {
    for (let at = 0; at < bytes.length; at++) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ 1;
      expect(() => joinLedger({ bytes: bad, previous: FIRST_LINE_PREVIOUS, last })).toThrow(
        refused,
      );
      const cut = { bytes: bytes.subarray(0, at), previous: FIRST_LINE_PREVIOUS, last };
      expect(() => joinLedger(cut)).toThrow(refused);
    }
  });
});

/** 1 if `bytes` is a line, which then must be the very line that it is read as; 0 if it is refused. */
function readsAsWritten(bytes: Uint8Array): number {
  try {
    expect(Buffer.compare(formatLedgerLine(parseLedgerLine(bytes)), bytes)).toBe(0);
    return 1;
  } catch (error) {
    expect(error).toEqual(refused);
    return 0;
  }
}

function lineEnds(bytes: Uint8Array): number[] {
  return [...bytes.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at + 1);
}
