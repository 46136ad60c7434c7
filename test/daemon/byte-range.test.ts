import { describe, expect, it } from "vitest";
import { parseByteRange } from "../../src/daemon/byte-range.js";

describe("parseByteRange", () => {
  it.each([
    [undefined, 10, { kind: "whole" }],
    ["bytes=0-0", 10, { kind: "part", start: 0, sizeBytes: 1 }],
    ["bytes=0-", 10, { kind: "part", start: 0, sizeBytes: 10 }],
    ["bytes=9-9", 10, { kind: "part", start: 9, sizeBytes: 1 }],
    ["bytes=5-999999999999999", 10, { kind: "part", start: 5, sizeBytes: 5 }],
    ["bytes=-99", 10, { kind: "part", start: 0, sizeBytes: 10 }],
    ["bytes=-0", 10, { kind: "unsatisfiable" }],
    ["bytes=0-", 0, { kind: "unsatisfiable" }],
    ["bytes=-1", 0, { kind: "unsatisfiable" }],
    ["bytes=5-4", 10, { kind: "whole" }],
    ["bytes=-", 10, { kind: "whole" }],
    ["bytes=0-1,3-4", 10, { kind: "whole" }],
    ["lines=0-1", 10, { kind: "whole" }],
    ["bytes=1e3-", 10, { kind: "whole" }],
  ])("reads %s of %d bytes", (header, sizeBytes, range) => {
    expect(parseByteRange(header, sizeBytes)).toEqual(range);
  });
});
