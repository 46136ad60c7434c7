/** librsync signatures of the tree's files, in little memory whatever their size. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TreePath } from "../bytes/tree-path.js";
import { SignatureBuilder } from "../librsync/signature.js";
import { ContentDigester, digestSignature } from "../manifest/signature-digest.js";
import type { ConfinedTree } from "./confined.js";
import { closeFile, fileStamp, readInto, statFile } from "./file-io.js";

/** The digest of one file's signature. @throws MirrorError as `FileSigner.sign`; the signal's reason when it aborts */
export async function signFile(
  tree: ConfinedTree,
  path: TreePath,
  blockLength: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const signer = new FileSigner(tree, (sizeBytes) => {
    signal.throwIfAborted();
    return sizeBytes < PIECE_BYTES ? undefined : nextTurn();
  });
  return await signer.sign(path, blockLength);
}

/** Files are read in pieces of this size; between them others get their turn. */
const PIECE_BYTES = 1024 * 1024;

/** Called after each piece that was read, with its size. */
export type Turn = (sizeBytes: number) => Promise<unknown> | undefined;

interface SignedFile {
  readonly path: TreePath;
  readonly blockLength: number;
  readonly stamp: string;
}

/** A file that is being signed. */
interface Signing extends SignedFile {
  readonly digester: ContentDigester;
  doneBytes: number;
}

/**
 * Signs one file after the other. When `turn` throws, the file is remembered: the next time it is asked for,
 * unchanged, the signer goes on where it was.
 */
export class FileSigner {
  readonly #tree: ConfinedTree;
  readonly #turn: Turn;
  #buffer = new Uint8Array(0);
  #signing: Signing | undefined;

  constructor(tree: ConfinedTree, turn: Turn) {
    this.#tree = tree;
    this.#turn = turn;
  }

  /**
   * The digest of the file's signature. @throws MirrorError TREE_DIVERGED when it is no regular file, or shrinks
   * meanwhile; DISK_FAILED when it cannot be read; what `turn` throws
   */
  async sign(path: TreePath, blockLength: number): Promise<Uint8Array> {
    const descriptor = this.#tree.openFile(path);
    try {
      const stat = statFile(descriptor);
      if (stat.size <= PIECE_BYTES)
        return await this.#signSmall(descriptor, stat.size, blockLength);
      return await this.#signLarge(descriptor, stat.size, {
        path,
        blockLength,
        stamp: fileStamp(stat),
      });
    } finally {
      closeFile(descriptor);
    }
  }

  async #signSmall(
    descriptor: number,
    sizeBytes: number,
    blockLength: number,
  ): Promise<Uint8Array> {
    const builder = new SignatureBuilder(blockLength);
    builder.update(this.#read(descriptor, 0, sizeBytes));
    const { digest } = digestSignature(builder.finish());
    await this.#turn(sizeBytes);
    return digest;
  }

  async #signLarge(descriptor: number, sizeBytes: number, file: SignedFile): Promise<Uint8Array> {
    const signing = this.#resume(file);
    this.#signing = signing;
    while (signing.doneBytes < sizeBytes) {
      const size = Math.min(PIECE_BYTES, sizeBytes - signing.doneBytes);
      signing.digester.update(this.#read(descriptor, signing.doneBytes, size));
      signing.doneBytes += size;
      await this.#turn(size);
    }
    this.#signing = undefined;
    return signing.digester.finish().digest;
  }

  #resume({ path, blockLength, stamp }: SignedFile): Signing {
    const last = this.#signing;
    if (last?.path === path && last.blockLength === blockLength && last.stamp === stamp) {
      return last;
    }
    const digester = new ContentDigester(blockLength);
    return { path, blockLength, stamp, digester, doneBytes: 0 };
  }

  /** Valid until the next call. */
  #read(descriptor: number, position: number, sizeBytes: number): Uint8Array {
    if (this.#buffer.length < sizeBytes) this.#buffer = new Uint8Array(sizeBytes);
    const bytes = this.#buffer.subarray(0, sizeBytes);
    readInto(descriptor, position, bytes);
    return bytes;
  }
}
