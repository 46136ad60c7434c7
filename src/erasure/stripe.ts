/** Stripes: the runs of a file that are compressed and coded by themselves, so that every part of it is reachable. */
import { MirrorError } from "../errors.js";
import { STRIPE_SIZE_BYTES } from "../limits.js";
import { compressBrotli, decompressBrotli } from "./brotli.js";

export type Compression = "none" | "brotli";

/** A file of 0 bytes has no stripe. */
export function stripeCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / STRIPE_SIZE_BYTES);
}

/** Bytes of stripe `stripe`, from 0, of a file; only the last may be short. */
export function stripeSize(sizeBytes: number, stripe: number): number {
  return Math.min(STRIPE_SIZE_BYTES, sizeBytes - stripe * STRIPE_SIZE_BYTES);
}

/** How a stripe is stored: compressed if that saves at least 2 %, else as it is. */
export async function compressStripe(
  raw: Uint8Array,
): Promise<{ readonly compression: Compression; readonly stored: Uint8Array }> {
  const compressed = await compressBrotli(raw, QUALITY);
  const saves = compressed.length <= raw.length * 0.98;
  return saves
    ? { compression: "brotli", stored: compressed }
    : { compression: "none", stored: raw };
}

/** @throws MirrorError BLOCK_CORRUPT unless it gives exactly `rawSizeBytes` bytes */
export async function decompressStripe(
  compression: Compression,
  stored: Uint8Array,
  rawSizeBytes: number,
): Promise<Uint8Array> {
  if (compression === "brotli") {
    return decompressBrotli(stored, { rawSizeBytes, code: "BLOCK_CORRUPT", what: "a stripe" });
  }
  if (stored.length === rawSizeBytes) return stored;
  const sizes = `expected ${rawSizeBytes} bytes, got ${stored.length}`;
  throw new MirrorError("BLOCK_CORRUPT", `a stripe has another size: ${sizes}`);
}

/** Measured on difftars: 66 MB/s and a fifth less than deflate 6; decompressed at 530 MB/s. */
const QUALITY = 5;
