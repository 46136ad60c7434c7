import { describe, expect, test } from "vitest";
import { makeKeyPair, parseSigningKey, parseVerifierKey } from "../../src/manifest/keys.js";

/** The example of golang.org/x/mod/sumdb/note. */
const GO_SIGNING = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

const invalid: unknown = expect.objectContaining({ code: "KEY_INVALID" });

describe("key texts", () => {
  test("of Go's own example are read", () => {
    const { verifier } = parseSigningKey(GO_SIGNING);
    expect(verifier.name).toBe("PeterNeumann");
    expect(Buffer.from(verifier.id).toString("hex")).toBe("c74f20a3");
    expect(parseVerifierKey(GO_VERIFIER).publicKey.equals(verifier.publicKey)).toBe(true);
  });

  test("of Go's own example are made from its seed", () => {
    const seed = Buffer.from("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", "base64").subarray(1);
    expect(makeKeyPair("PeterNeumann", seed)).toEqual({
      signingKey: GO_SIGNING,
      verifierKey: GO_VERIFIER,
    });
  });

  test("may have space around them", () => {
    expect(parseSigningKey(`${GO_SIGNING}\n`).verifier.name).toBe("PeterNeumann");
    expect(parseVerifierKey(`  ${GO_VERIFIER}\r\n`).name).toBe("PeterNeumann");
  });

  test("with any sign changed are refused, and secrets are not told", () => {
    for (let at = 0; at < GO_VERIFIER.length; at++) {
      expect(() => parseVerifierKey(replaceAt(GO_VERIFIER, at))).toThrow(invalid);
    }
    for (let at = 0; at < GO_SIGNING.length; at++) {
      const read = () => parseSigningKey(replaceAt(GO_SIGNING, at));
      expect(read).toThrow(invalid);
      expect(read).not.toThrow("AYEKFALV");
    }
  });

  test("cut anywhere are refused", () => {
    for (let size = 0; size < GO_VERIFIER.length; size++) {
      expect(() => parseVerifierKey(GO_VERIFIER.slice(0, size))).toThrow(invalid);
    }
    for (let size = 0; size < GO_SIGNING.length; size++) {
      expect(() => parseSigningKey(GO_SIGNING.slice(0, size))).toThrow(invalid);
    }
  });

  test("of the one kind are not taken for the other", () => {
    expect(() => parseVerifierKey(GO_SIGNING)).toThrow(
      "expected a verifier key, got a signing key",
    );
    expect(() => parseSigningKey(GO_VERIFIER)).toThrow("not a signing key");
  });
});

describe("key names", () => {
  test.each(["pub", "mirror.example.org/pub", "M\u00fcnchen", "x".repeat(100)])(
    "%j is one",
    (name) => {
      const pair = makeKeyPair(name, new Uint8Array(32));
      expect(parseVerifierKey(pair.verifierKey).name).toBe(name);
      expect(parseSigningKey(pair.signingKey).verifier.name).toBe(name);
    },
  );

  test.each(["", "a b", "a+b", "a\u00a0b", "a\nb", "a\u0007", "x".repeat(101)])(
    "%j is none",
    (name) => {
      expect(() => makeKeyPair(name, new Uint8Array(32))).toThrow(invalid);
    },
  );
});

test("a seed has 32 bytes", () => {
  expect(() => makeKeyPair("pub", new Uint8Array(31))).toThrow("a seed has 32 bytes, not 31");
  expect(() => makeKeyPair("pub", new Uint8Array(33))).toThrow("a seed has 32 bytes, not 33");
});

function replaceAt(text: string, at: number): string {
  const other = text[at] === "A" ? "B" : "A";
  return `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
}
