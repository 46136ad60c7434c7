/**
 * Ed25519 keys as text, in the encodings of C2SP signed-note and Go's golang.org/x/mod/sumdb/note:
 * `PRIVATE+KEY+<name>+<id>+<base64(0x01, seed)>` signs, `<name>+<id>+<base64(0x01, public key)>` verifies.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { equalBytes, sha256 } from "../bytes/digest.js";
import { quoted } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";

export interface VerifierKey {
  readonly name: string;
  /** First 4 bytes of SHA-256(name, LF, 0x01, public key). */
  readonly id: Uint8Array;
  readonly publicKey: KeyObject;
}

export interface SigningKey {
  readonly verifier: VerifierKey;
  readonly privateKey: KeyObject;
}

/** The texts of both keys that `seed`, 32 secret bytes, makes. @throws MirrorError KEY_INVALID */
export function makeKeyPair(
  name: string,
  seed: Uint8Array,
): { readonly signingKey: string; readonly verifierKey: string } {
  checkName(name);
  const { verifier } = signingKeyOf(name, seed);
  const id = Buffer.from(verifier.id).toString("hex");
  return {
    signingKey: `${SIGNING_PREFIX}${name}+${id}+${typedBase64(seed)}`,
    verifierKey: formatVerifierKey(verifier),
  };
}

export function formatVerifierKey({ name, id, publicKey }: VerifierKey): string {
  return `${name}+${Buffer.from(id).toString("hex")}+${typedBase64(rawPublicKey(publicKey))}`;
}

/** How long the text of a key of this name is, in bytes of UTF-8. */
export function verifierKeySize(name: string): number {
  const idAndKeySize = "+12345678+".length + typedBase64(new Uint8Array(KEY_SIZE_BYTES)).length;
  return Buffer.byteLength(name) + idAndKeySize;
}

/** What people compare keys by: in hex, the whole hash that a key's id is the beginning of. */
export function fingerprintKey({ name, publicKey }: VerifierKey): string {
  return Buffer.from(hashKey(name, rawPublicKey(publicKey))).toString("hex");
}

/** Space around the key is passed over. @throws MirrorError KEY_INVALID, without the text: it is secret */
export function parseSigningKey(text: string): SigningKey {
  const trimmed = text.trim();
  if (!trimmed.startsWith(SIGNING_PREFIX)) {
    throw new MirrorError("KEY_INVALID", `not a signing key: expected ${SIGNING_PREFIX}...`);
  }
  const { name, id, key } = parseKeyText(trimmed.slice(SIGNING_PREFIX.length), "signing");
  const signingKey = signingKeyOf(name, key);
  checkId(signingKey.verifier, id);
  return signingKey;
}

/** Space around the key is passed over. @throws MirrorError KEY_INVALID */
export function parseVerifierKey(text: string): VerifierKey {
  const trimmed = text.trim();
  if (trimmed.startsWith(SIGNING_PREFIX)) {
    throw new MirrorError("KEY_INVALID", "expected a verifier key, got a signing key");
  }
  const { name, id, key } = parseKeyText(trimmed, "verifier");
  const verifier = verifierOf(name, key);
  checkId(verifier, id);
  return verifier;
}

const SIGNING_PREFIX = "PRIVATE+KEY+";
const ED25519 = 0x01;
const KEY_SIZE_BYTES = 32;
const NAME_MAX_LENGTH = 100;

/** RFC 8410: what DER puts before the 32 bytes. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function signingKeyOf(name: string, seed: Uint8Array): SigningKey {
  if (seed.length !== KEY_SIZE_BYTES) {
    throw new MirrorError("KEY_INVALID", `a seed has ${KEY_SIZE_BYTES} bytes, not ${seed.length}`);
  }
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  return { verifier: verifierOf(name, rawPublicKey(publicKey)), privateKey };
}

function verifierOf(name: string, key: Uint8Array): VerifierKey {
  const der = Buffer.concat([SPKI_PREFIX, key]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  return { name, id: hashKey(name, key).subarray(0, 4), publicKey };
}

function hashKey(name: string, key: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([Buffer.from(`${name}\n`), typed(key)]));
}

function rawPublicKey(publicKey: KeyObject): Uint8Array {
  return publicKey.export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX.length);
}

function parseKeyText(
  text: string,
  kind: "signing" | "verifier",
): { readonly name: string; readonly id: Uint8Array; readonly key: Uint8Array } {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})$/.exec(text);
  const [, name = "", id = "", base64 = ""] = match ?? [];
  const key = Buffer.from(base64, "base64");
  const whole = key.toString("base64") === base64 && key.length === KEY_SIZE_BYTES + 1;
  if (match === null || !whole || key[0] !== ED25519) {
    const expected = "expected <name>+<8 hex digits>+<44 base64 characters> of an Ed25519 key";
    throw new MirrorError("KEY_INVALID", `not a ${kind} key: ${expected}`);
  }
  checkName(name);
  return { name, id: Buffer.from(id, "hex"), key: key.subarray(1) };
}

function checkName(name: string): void {
  if (name.length >= 1 && name.length <= NAME_MAX_LENGTH && /^[^\s+\p{C}]+$/u.test(name)) return;
  const expected = `expected 1 to ${NAME_MAX_LENGTH} characters without spaces or +`;
  throw new MirrorError("KEY_INVALID", `key name ${quoted(name)}: ${expected}`);
}

function checkId(verifier: VerifierKey, id: Uint8Array): void {
  if (equalBytes(verifier.id, id)) return;
  const message = `key ${verifier.name} was damaged: its id does not belong to it`;
  throw new MirrorError("KEY_INVALID", message);
}

function typedBase64(key: Uint8Array): string {
  return typed(key).toString("base64");
}

function typed(key: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(ED25519), key]);
}
