import type { RepositoryFile } from "../duplicity/names.js";
import { MirrorError } from "../errors.js";
import { Channel } from "./channel.js";

/** A volume of the repository as it is being read. */
export interface TappedVolume {
  readonly number: number;
  readonly isGzip: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Lets a second reader see volumes that a first one reads, at the first one's pace and the second one's, whichever is
 * slower: each volume is read from disk once, and both see the same bytes.
 */
export class VolumeTap {
  readonly #volumes = new Channel<TappedVolume>();
  #copy = new Channel<Uint8Array>();

  /** What the second reader sees. */
  get volumes(): AsyncIterable<TappedVolume> {
    return this.#volumes;
  }

  /** The chunks, for the first reader. */
  async *pass(
    volume: RepositoryFile,
    chunks: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const copy = new Channel<Uint8Array>();
    this.#copy = copy;
    const isGzip = volume.wrapping === "gzip";
    await this.#volumes.send({ number: volume.number, isGzip, chunks: copy });
    try {
      for await (const chunk of chunks) {
        await copy.send(chunk);
        yield chunk;
      }
      copy.close();
    } finally {
      copy.fail(new MirrorError("CANCELLED", `${volume.name} was not read to its end`));
    }
  }

  /** For the first reader: there are no more volumes. */
  close(): void {
    this.#volumes.close();
  }

  /** For the first reader: it stops before the end. */
  fail(error: Error): void {
    this.#volumes.fail(error);
  }

  /** For the second reader, however it ended: the first one need not wait for it. */
  abandon(): void {
    this.#volumes.abandon();
    this.#copy.abandon();
  }
}
