import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { MirrorError } from "../errors.js";
import { systemCode } from "./disk-failure.js";

/**
 * What is inside a gzip stream, at most CHUNK_BYTES at a time and no faster than it is taken. All of
 * `chunks` is read, unless the consumer stops. @throws MirrorError FORMAT_INVALID when the stream is not gzip, or not whole
 */
export async function* gunzip(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const inflater = createGunzip({ chunkSize: CHUNK_BYTES });
  const feeding = pipeline(chunks, inflater, { signal: options.signal });
  // What fails there comes out of the loop below, too.
  const fed = feeding.catch(() => undefined);
  try {
    yield* bytesOf(inflater);
    await feeding;
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isBroken(systemCode(error))) throw error;
    const message = "a gzip stream is broken or cut short";
    throw new MirrorError("FORMAT_INVALID", message, { cause: error });
  } finally {
    // A source that hangs is not waited for.
    if (!options.signal.aborted) await fed;
  }
}

/** What zlib calls by its own names, or a stream that goes on after its end. */
function isBroken(code: string | undefined): boolean {
  return code?.startsWith("Z_") === true || code === "ERR_STREAM_PREMATURE_CLOSE";
}

const CHUNK_BYTES = 256 * 1024;

function bytesOf(stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return stream;
}
