import type { Writable } from "node:stream";
import type { BufferPool } from "../bytes/buffer-pool.js";
import { streamFile } from "../disk/files.js";
import { unlessAborted } from "../disk/unless-aborted.js";
import { MirrorError } from "../errors.js";

/**
 * Sends a range of a file as the body of `response`, and ends it: a piece is read while the one before is sent.
 * @throws MirrorError SOURCE_SHORT when the file has become shorter; as `streamFile`; CANCELLED when the client is gone
 */
export async function sendFile(
  response: Writable,
  body: {
    readonly file: string;
    readonly start: number;
    readonly sizeBytes: number;
    /** Buffers of FILE_PIECE_BYTES. */
    readonly pieces: BufferPool;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { file, start, sizeBytes, pieces } = body;
  const gone = new AbortController();
  response.once("close", () => gone.abort(new MirrorError("CANCELLED", "the client is gone")));
  const signal = AbortSignal.any([body.signal, gone.signal]);
  let sending = Promise.resolve();
  let leftBytes = sizeBytes;
  let buffer = pieces.take();
  for await (const read of streamFile(file, { start, take: () => buffer, signal })) {
    const full = buffer;
    const piece = read.subarray(0, leftBytes);
    leftBytes -= piece.length;
    await sending;
    sending = write(response, piece, signal).then(() => pieces.give(full));
    sending.catch(() => undefined); // awaited below, or before the next piece
    if (leftBytes === 0) break;
    buffer = pieces.take();
  }
  await sending;
  if (leftBytes > 0) {
    const message = `${file} lost its last ${leftBytes} bytes while it was sent`;
    throw new MirrorError("SOURCE_SHORT", message);
  }
  response.end();
}

/** Resolves when the bytes are with the system, and their memory is free; of a client that is gone nothing may be heard. */
async function write(response: Writable, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  await unlessAborted(signal, async () => {
    await new Promise<void>((resolve, reject) => {
      response.write(bytes, (error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  });
}
