/**
 * C2SP signed-note, as far as a head needs it: text that ends in a line feed, an empty line, then lines
 * `— <key name> <base64(key id, signature)>`. Only the head is a note, so its limit holds here.
 */
import { isUtf8 } from "node:buffer";
import { sign, verify } from "node:crypto";
import { equalBytes } from "../bytes/digest.js";
import { MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES } from "../limits.js";
import type { SigningKey, VerifierKey } from "./keys.js";

/** `text` with a signature. @throws MirrorError HEAD_INVALID when that is longer than a head may be */
export function signNote(text: Uint8Array, key: SigningKey): Uint8Array {
  const { name, id } = key.verifier;
  const signature = Buffer.concat([id, sign(null, text, key.privateKey)]).toString("base64");
  const note = Buffer.concat([text, Buffer.from(`\n${DASH} ${name} ${signature}\n`)]);
  if (note.length <= HEAD_MAX_BYTES) return note;
  const advice = "name fewer sources or retain fewer chains";
  const message = `the head has ${note.length} bytes, ${HEAD_MAX_BYTES} at most: ${advice}`;
  throw new MirrorError("HEAD_INVALID", message);
}

/**
 * The text of a note that at least one of `keys` has signed. Signatures by unknown keys are passed over; one by a known
 * key that is wrong is not. @throws MirrorError SIGNATURE_INVALID
 */
export function openNote(note: Uint8Array, keys: readonly VerifierKey[]): Uint8Array {
  const { text, signatures } = splitNote(note);
  let isSigned = false;
  for (const { name, id, signature } of signatures) {
    const key = keys.find((known) => known.name === name && equalBytes(known.id, id));
    if (key === undefined) continue;
    if (!verify(null, text, key.publicKey, signature)) refuse(`the signature by ${name} is wrong`);
    isSigned = true;
  }
  if (isSigned) return text;
  const expected = keys.map((key) => key.name).join(", ");
  return refuse(`it is signed by ${signatures.map(describeSigner).join(", ")}, not by ${expected}`);
}

/** Who says to have signed a note, checked by nobody. @throws MirrorError SIGNATURE_INVALID when it is none */
export function signersOf(note: Uint8Array): Signer[] {
  return splitNote(note).signatures.map(({ name, id }) => ({ name, id }));
}

export type Signer = Pick<VerifierKey, "name" | "id">;

interface Signature {
  readonly name: string;
  readonly id: Uint8Array;
  readonly signature: Uint8Array;
}

const DASH = "\u2014";
const ID_SIZE_BYTES = 4;
const LINE_FEED = 0x0a;

function splitNote(note: Uint8Array): { text: Uint8Array; signatures: Signature[] } {
  if (note.length > HEAD_MAX_BYTES) {
    refuse(`it has ${note.length} bytes, ${HEAD_MAX_BYTES} at most`);
  }
  if (!isUtf8(note) || note.some((byte) => byte < 0x20 && byte !== LINE_FEED)) {
    refuse("it is no text");
  }
  const end = Buffer.from(note).lastIndexOf("\n\n");
  const signatureLines = Buffer.from(note.subarray(end + 2)).toString();
  if (end < 0 || !signatureLines.endsWith("\n")) refuse("it is not signed, or was cut");
  const signatures = signatureLines.slice(0, -1).split("\n").map(parseSignature);
  return { text: note.subarray(0, end + 1), signatures };
}

function parseSignature(line: string): Signature {
  const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line);
  const [, name = "", base64 = ""] = match ?? [];
  const bytes = Buffer.from(base64, "base64");
  const isWhole = bytes.length > ID_SIZE_BYTES && bytes.toString("base64") === base64;
  if (match === null || !isWhole) refuse("it has a malformed signature line");
  return { name, id: bytes.subarray(0, ID_SIZE_BYTES), signature: bytes.subarray(ID_SIZE_BYTES) };
}

function describeSigner({ name, id }: Signature): string {
  return `${name}+${Buffer.from(id).toString("hex")}`;
}

function refuse(why: string): never {
  throw new MirrorError("SIGNATURE_INVALID", `the head is refused: ${why}`);
}
