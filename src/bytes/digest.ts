/** SHA-256, and how digests are written in text. */
import { createHash, hash, webcrypto } from "node:crypto";

export function sha256(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer");
}

/** Hashes large input in the thread pool; small input at once, which is quicker than asking for it. */
export async function sha256Async(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length < THREAD_POOL_MIN_BYTES) return sha256(bytes);
  return new Uint8Array(await webcrypto.subtle.digest("SHA-256", bytes));
}

/** Of a whole file, say. */
export async function sha256Chunks(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const whole = createHash("sha256");
  for await (const chunk of chunks) whole.update(chunk);
  return whole.digest();
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}

const THREAD_POOL_MIN_BYTES = 128 * 1024;
