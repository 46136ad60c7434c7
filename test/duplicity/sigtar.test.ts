import { describe, expect, it } from "vitest";
import { SigtarReader } from "../../src/duplicity/sigtar.js";
import { ascii, cut, FEEDS, hex } from "../support/bytes.js";
import { concat, deletion, tarEntry } from "../support/tar.js";
import { FULL_SIGNATURES, INCREMENT_SIGNATURES } from "../support/tiny-repository.js";

function read(bytes: Uint8Array, feed: number = Number.MAX_SAFE_INTEGER) {
  const reader = new SigtarReader("signature archive");
  const events = cut(bytes, feed).flatMap((piece) => [...reader.push(piece)]);
  reader.finish();
  return {
    entries: events.flatMap((event) => (event.kind === "entry" ? [event.entry] : [])),
    data: hex(
      Buffer.concat(events.flatMap((event) => (event.kind === "data" ? [event.bytes] : []))),
    ),
  };
}

describe("SigtarReader", () => {
  it("reads the signatures of the full set of duplicity-format 12, however they are fed", () => {
    for (const feed of FEEDS) {
      expect(read(FULL_SIGNATURES, feed)).toEqual({
        entries: [
          { kind: "snapshot", path: "", sizeBytes: 0 },
          { kind: "snapshot", path: "d", sizeBytes: 0 },
          { kind: "signature", path: "f", sizeBytes: 24 },
          { kind: "snapshot", path: "l", sizeBytes: 0 },
        ],
        data: "7273013600000200000000080ad002d863481c78ae04c201",
      });
    }
  });

  it("reads the signatures of the increment of duplicity-format 12, however they are fed", () => {
    for (const feed of FEEDS) {
      const { entries, data } = read(INCREMENT_SIGNATURES, feed);
      expect(entries.map(({ kind, path }) => [kind, path])).toEqual([
        ["snapshot", ""],
        ["deleted", "d"],
        ["signature", "f"],
        ["signature", "g"],
      ]);
      expect(data).toBe(
        "72730136000002000000000827d805da97668ab2f29d0115" +
          "727301360000020000000008" +
          "0097009751b834b7c1ef0b59",
      );
    }
  });

  it("refuses every cut inside an entry", () => {
    const used = INCREMENT_SIGNATURES.subarray(0, 3072);
    for (let size = 1; size < used.length; size++) {
      const cutShort = used.subarray(0, size);
      if ([512, 1024, 2048].includes(size))
        expect(read(cutShort).entries.length).toBeGreaterThan(0);
      else
        expect(() => read(cutShort)).toThrow(/signature archive, near byte \d+: the stream ends/);
    }
  });

  it("reads an archive without entries", () => {
    expect(read(new Uint8Array(10240), 100)).toEqual({ entries: [], data: "" });
  });

  it.each([
    [
      "a signature of a directory",
      tarEntry({ name: "signature/x", type: "5" }),
      /is a directory, which/,
    ],
    ["a file without signature", tarEntry({ name: "snapshot/x" }), /is a file, which its kind/],
    ["another kind", tarEntry({ name: "diff/x" }), /which its kind cannot be/],
    ["a deletion of the root", deletion(""), /delete the root/],
    ["a deletion with data", tarEntry({ name: "deleted/x", data: ascii("x") }), /with content/],
    [
      "two entries of one path",
      concat(deletion("x"), tarEntry({ name: "signature/x" })),
      /out of order/,
    ],
    ["a name without a path", tarEntry({ name: "signature" }), /no path/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
  });
});
