/** Bytes that no compressor makes smaller, the same for the same seed, made as fast as they are written. */
import { createCipheriv } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

export function noise(sizeBytes, seed) {
  return cipher(seed).update(Buffer.alloc(sizeBytes));
}

/** A file of it, made in pieces. */
export function writeNoise(file, sizeBytes, seed) {
  const stream = cipher(seed);
  const zeros = Buffer.alloc(PIECE_BYTES);
  const descriptor = openSync(file, "w");
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES)
    writeSync(descriptor, stream.update(zeros.subarray(0, sizeBytes - at)));
  closeSync(descriptor);
}

const PIECE_BYTES = 16 * 1024 * 1024;

function cipher(seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
}
