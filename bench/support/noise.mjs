/** Bytes that no compressor makes smaller, the same for the same seed, made as fast as they are written. */
import { createCipheriv } from "node:crypto";

export function noise(sizeBytes, seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}
