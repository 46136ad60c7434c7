import { describe, expect, test } from "vitest";
import { makeKeyPair, parseSigningKey, parseVerifierKey } from "../../src/manifest/keys.js";
import { openNote, signNote } from "../../src/manifest/signed-note.js";

/** The example of golang.org/x/mod/sumdb/note. */
const GO_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_NOTE = `${GO_TEXT}
\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

const peter = parseSigningKey(GO_KEY);
const other = parseSigningKey(makeKeyPair("pub", new Uint8Array(32).fill(1)).signingKey);
const text = Buffer.from("a line\nanother\n");
const refused: unknown = expect.objectContaining({ code: "SIGNATURE_INVALID" });

describe("signing", () => {
  test("gives the note of Go's own example", () => {
    expect(Buffer.from(signNote(Buffer.from(GO_TEXT), peter)).toString()).toBe(GO_NOTE);
  });

  test("refuses to make a head longer than 4 KiB", () => {
    const sizeBytes = 4096 - signNote(text, peter).length + text.length;
    const longest = Buffer.from(`${"x".repeat(sizeBytes - 1)}\n`);
    expect(signNote(longest, peter)).toHaveLength(4096);
    expect(() => signNote(Buffer.concat([Buffer.from("x"), longest]), peter)).toThrow(
      expect.objectContaining({ code: "HEAD_INVALID" }),
    );
  });
});

describe("opening", () => {
  test("gives the text of Go's own example", () => {
    expect(open(GO_NOTE)).toBe(GO_TEXT);
  });

  test("gives the text that any known key has signed, whoever else did", () => {
    const note = Buffer.concat([signNote(text, other), signatureOf(signNote(text, peter))]);
    expect(openNote(note, [peter.verifier])).toEqual(text);
    expect(openNote(note, [other.verifier])).toEqual(text);
    expect(openNote(note, [peter.verifier, other.verifier])).toEqual(text);
  });

  test("gives a text with empty lines within", () => {
    const blank = Buffer.from("\n\na\n\nb\n\n");
    expect(openNote(signNote(blank, peter), [peter.verifier])).toEqual(blank);
  });

  test("refuses a note by unknown keys, naming them and who was expected", () => {
    expect(() => openNote(signNote(text, other), [peter.verifier])).toThrow(
      /it is signed by pub\+[0-9a-f]{8}, not by PeterNeumann$/,
    );
    expect(() => openNote(signNote(text, other), [])).toThrow(refused);
  });

  test("refuses another key that took a known name", () => {
    const forged = makeKeyPair("PeterNeumann", new Uint8Array(32).fill(2)).signingKey;
    expect(() => openNote(signNote(text, parseSigningKey(forged)), [peter.verifier])).toThrow(
      refused,
    );
  });

  test("refuses a wrong signature by a known key even beside a right one", () => {
    const wrong = signatureOf(signNote(Buffer.from("something else\n"), other));
    const note = Buffer.concat([signNote(text, peter), wrong]);
    expect(() => openNote(note, [peter.verifier, other.verifier])).toThrow(
      "the signature by pub is wrong",
    );
    expect(openNote(note, [peter.verifier])).toEqual(text);
  });

  test("refuses a note with any byte changed", () => {
    const note = Buffer.from(GO_NOTE);
    for (const [at, byte] of note.entries()) {
      for (const changed of [byte ^ 1, byte ^ 0x80, 0x0a === byte ? 0x20 : 0x0a]) {
        const bad = Buffer.from(note);
        bad[at] = changed;
        expect(() => openNote(bad, [peter.verifier])).toThrow(refused);
      }
    }
  });

  test("refuses a note cut anywhere, or with something after it", () => {
    const note = Buffer.from(GO_NOTE);
    for (let size = 0; size < note.length; size++) {
      expect(() => openNote(note.subarray(0, size), [peter.verifier])).toThrow(refused);
    }
    for (const rest of ["\n", " ", "x", "\u2014 x AAAA\n", "\u2014 PeterNeumann\n"]) {
      expect(() => open(GO_NOTE + rest)).toThrow(refused);
    }
  });

  test("refuses more than 4 KiB before reading any of it", () => {
    const long = Buffer.alloc(4097, "x");
    expect(() => openNote(long, [peter.verifier])).toThrow("it has 4097 bytes, 4096 at most");
  });

  test("refuses a key whose text was read but is not its signer's", () => {
    const verifier = parseVerifierKey(makeKeyPair("pub", new Uint8Array(32).fill(1)).verifierKey);
    expect(openNote(signNote(text, other), [verifier])).toEqual(text);
    expect(() => open(Buffer.from(signNote(text, other)).toString())).toThrow(refused);
  });
});

function open(note: string): string {
  return Buffer.from(openNote(Buffer.from(note), [peter.verifier])).toString();
}

/** The signature lines of a note. */
function signatureOf(note: Uint8Array): Uint8Array {
  const bytes = Buffer.from(note);
  return bytes.subarray(bytes.lastIndexOf("\n\n") + 2);
}
