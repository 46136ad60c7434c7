/** librsync signatures of the tree's files, in little memory whatever their size. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TreePath } from "../bytes/tree-path.js";
import { SignatureBuilder } from "../librsync/signature.js";
import { digestSignature, SignatureDigester } from "../manifest/signature-digest.js";
import type { ConfinedTree } from "./confined.js";
import { closeFile, fileSize, fileStamp, readInto } from "./file-io.js";

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

/** A file that is being signed. */
interface Signing {
  readonly path: TreePath;
  readonly blockLength: number;
  readonly stamp: string;
  readonly builder: SignatureBuilder;
  readonly digester: SignatureDigester;
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
      const sizeBytes = fileSize(descriptor);
      if (sizeBytes <= PIECE_BYTES)
        return await this.#signSmall(descriptor, sizeBytes, blockLength);
      return await this.#signLarge(descriptor, sizeBytes, { path, blockLength });
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

  async #signLarge(
    descriptor: number,
    sizeBytes: number,
    file: { readonly path: TreePath; readonly blockLength: number },
  ): Promise<Uint8Array> {
    const signing = this.#resume(file, fileStamp(descriptor));
    this.#signing = signing;
    const { builder, digester } = signing;
    while (signing.doneBytes < sizeBytes) {
      const size = Math.min(PIECE_BYTES, sizeBytes - signing.doneBytes);
      builder.update(this.#read(descriptor, signing.doneBytes, size));
      digester.update(builder.take());
      signing.doneBytes += size;
      await this.#turn(size);
    }
    this.#signing = undefined;
    digester.update(builder.finish());
    return digester.finish().digest;
  }

  #resume(
    { path, blockLength }: { readonly path: TreePath; readonly blockLength: number },
    stamp: string,
  ): Signing {
    const last = this.#signing;
    if (last?.path === path && last.blockLength === blockLength && last.stamp === stamp) {
      return last;
    }
    const builder = new SignatureBuilder(blockLength);
    return { path, blockLength, stamp, builder, digester: new SignatureDigester(), doneBytes: 0 };
  }

  /** Valid until the next call. */
  #read(descriptor: number, position: number, sizeBytes: number): Uint8Array {
    if (this.#buffer.length < sizeBytes) this.#buffer = new Uint8Array(sizeBytes);
    const bytes = this.#buffer.subarray(0, sizeBytes);
    readInto(descriptor, position, bytes);
    return bytes;
  }
}
