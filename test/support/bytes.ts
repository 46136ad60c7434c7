/** Bytes for tests of codecs. */

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Hexadecimal with blanks. */
export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

/** `pat(n)` of duplicity-format 5.4. */
export function pattern(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, at) => at % 251);
}

/** `bytes` in pieces of `size`, each a copy of its own. */
export function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
  return pieces;
}

/** The ways in which a stream is fed to a reader: whole, in odd pieces, byte by byte. */
export const FEEDS = [Number.MAX_SAFE_INTEGER, 513, 7, 1] as const;
