/** From stripes of volumes to bytes of the tars inside them. */

import { gunzip } from "../disk/gunzip.js";
import { MirrorError } from "../errors.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import { type LocatedFile, type RetrievedStripe, retrieveStripes } from "../retrieve/stripes.js";
import type { VolumeChunk, VolumeOrigin } from "./work.js";

/** Volumes that are published as duplicity wrote them, for everybody to read. */
export function publishedVolumes(pool: SourcePool): VolumeOrigin {
  return {
    locate: (volume) => volume,
    read: (requests, signal) => unwrapVolumes(retrieveStripes({ pool, requests, signal }), signal),
  };
}

/** A plain volume's stripes stand where they stand; a gzip'd volume is read from its beginning. */
async function* unwrapVolumes(
  stripes: AsyncGenerator<RetrievedStripe>,
  signal: AbortSignal,
): AsyncGenerator<VolumeChunk> {
  const stream = new StripeStream(stripes);
  try {
    for (let file = await stream.file(); file !== undefined; file = await stream.file()) {
      yield* unwrapVolume(file, stream, signal);
    }
  } finally {
    await stripes.return(undefined);
  }
}

async function* unwrapVolume(
  file: LocatedFile,
  stream: StripeStream,
  signal: AbortSignal,
): AsyncGenerator<VolumeChunk> {
  switch (file.file.wrapping) {
    case "plain":
      for await (const { request, bytes } of stream.volume(file)) {
        yield { file, offset: request.stripe * file.file.stripeSizeBytes, bytes };
      }
      return;
    case "gzip": {
      let offset = 0;
      for await (const bytes of gunzip(bytesOf(stream.volume(file)), { signal })) {
        yield { file, offset, bytes };
        offset += bytes.length;
      }
      return;
    }
    case "gpg":
      throw new MirrorError(
        "DOCUMENT_INVALID",
        `${file.file.name} is encrypted, but contents of its set are published`,
      );
  }
}

/** The stream of all stripes, cut into those of one volume after the other. */
class StripeStream {
  readonly #stripes: AsyncGenerator<RetrievedStripe>;
  #next: IteratorResult<RetrievedStripe, unknown> | undefined;

  constructor(stripes: AsyncGenerator<RetrievedStripe>) {
    this.#stripes = stripes;
  }

  /** The volume that the next stripe is of. */
  async file(): Promise<LocatedFile | undefined> {
    this.#next ??= await this.#stripes.next();
    return this.#next.done === true ? undefined : this.#next.value.request.file;
  }

  /** What is left of a volume; may be given up early. */
  async *volume(file: LocatedFile): AsyncGenerator<RetrievedStripe> {
    while ((await this.file()) === file && this.#next?.done === false) {
      const { value } = this.#next;
      this.#next = undefined;
      yield value;
    }
  }
}

async function* bytesOf(stripes: AsyncIterable<RetrievedStripe>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of stripes) yield bytes;
}
