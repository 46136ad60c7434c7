/** Brotli with known sizes: small input at once, which is quicker than asking the thread pool; large input there. */
import { promisify } from "node:util";
import {
  brotliCompress,
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
} from "node:zlib";
import { type ErrorCode, MirrorError } from "../errors.js";

/** The input must stay as it is until the promise settles; that holds for both functions. */
export async function compressBrotli(raw: Uint8Array, quality: number): Promise<Uint8Array> {
  const options = {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
    },
  };
  if (raw.length <= COMPRESS_AT_ONCE_MAX_BYTES) return brotliCompressSync(raw, options);
  return compressInPool(raw, { ...options, chunkSize: raw.length });
}

/** Exactly `rawSizeBytes` bytes, and never more memory than that. @throws MirrorError with `code`, naming `what` */
export async function decompressBrotli(
  stored: Uint8Array,
  expected: { readonly rawSizeBytes: number; readonly code: ErrorCode; readonly what: string },
): Promise<Uint8Array> {
  const { rawSizeBytes, code, what } = expected;
  // One byte to spare: a chunk that is just full makes zlib allocate a second one.
  const chunkSize = Math.max(rawSizeBytes + 1, CHUNK_MIN_BYTES);
  const options = { maxOutputLength: rawSizeBytes, chunkSize };
  const raw = await decompress(stored, options).catch((cause: unknown) => {
    throw new MirrorError(code, `${what} cannot be decompressed`, { cause });
  });
  if (raw.length === rawSizeBytes) return raw;
  const sizes = `expected ${rawSizeBytes} bytes, got ${raw.length}`;
  throw new MirrorError(code, `${what} has another size when decompressed: ${sizes}`);
}

const compressInPool = promisify(brotliCompress);
const decompressInPool = promisify(brotliDecompress);

/** 1 MiB: the size of a stripe; a larger window would only cost memory. */
const WINDOW_BITS = 20;

/** A call of the thread pool costs about 0.2 ms. */
const COMPRESS_AT_ONCE_MAX_BYTES = 4 * 1024;
const DECOMPRESS_AT_ONCE_MAX_BYTES = 64 * 1024;

/** zlib's own lower bound. */
const CHUNK_MIN_BYTES = 64;

async function decompress(
  stored: Uint8Array,
  options: { readonly maxOutputLength: number; readonly chunkSize: number },
): Promise<Uint8Array> {
  const atOnce = options.maxOutputLength <= DECOMPRESS_AT_ONCE_MAX_BYTES;
  return atOnce ? brotliDecompressSync(stored, options) : decompressInPool(stored, options);
}
