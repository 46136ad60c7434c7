/** One file in the making: its bytes, and what it is made from. */

import { equalBytes } from "../bytes/digest.js";
import { displayPath, joinPaths, parentPath, type TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree, FileAttributes } from "../disk/confined.js";
import { closeFile, fileSize, readExactly, writeFully } from "../disk/file-io.js";
import { MirrorError } from "../errors.js";
import { DeltaReader } from "../librsync/delta.js";
import type { SignatureDigest } from "../manifest/contents.js";
import { ContentDigester } from "../manifest/signature-digest.js";
import type { HeldVersions } from "./held-versions.js";
import { STAGE, VERSIONS } from "./staging.js";

/** Results up to this size are held in memory and written with one call; larger ones in pieces of it. */
export const MEMORY_MAX_BYTES = 1024 * 1024;
const COPY_BYTES = 1024 * 1024;

/** What a file must be when it is made. */
export interface ExpectedFile {
  readonly sizeBytes: number;
  readonly signature: SignatureDigest | undefined;
}

/** Where a file is made. */
export type Making =
  /** At its place below the stage, a large one piece by piece: so it can be gone on with later. */
  | { readonly at: "place"; readonly doneBytes: number }
  /** Elsewhere, until it is known to be right. */
  | { readonly at: "newFile"; readonly newFile: TreePath };

/** Writes a file below the stage, or a version of one that a later set changes. */
export class StagedFile {
  readonly #tree: ConfinedTree;
  readonly #path: TreePath;
  readonly #expected: ExpectedFile;
  readonly #making: Making;
  readonly #digester: ContentDigester | undefined;
  /** The result, when it is small; of a large one what is not written yet. */
  readonly #held: Uint8Array;
  #heldBytes = 0;
  #sizeBytes = 0;
  #fd: number | undefined;

  constructor(tree: ConfinedTree, path: TreePath, expected: ExpectedFile, making: Making) {
    const { sizeBytes, signature } = expected;
    this.#tree = tree;
    this.#path = path;
    this.#expected = expected;
    this.#making = making;
    this.#sizeBytes = this.#doneBytes;
    this.#held = Buffer.allocUnsafe(Math.min(sizeBytes, MEMORY_MAX_BYTES));
    if (signature !== undefined) this.#digester = new ContentDigester(signature.blockLength);
  }

  get writtenBytes(): number {
    return this.#sizeBytes - this.#doneBytes;
  }

  /**
   * The bytes may be a view into something that is reused: they are copied or written at once.
   * @throws MirrorError BASE_MISMATCH as soon as there are more than expected: a delta can make any number of them
   */
  write(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > this.#expected.sizeBytes) this.#refuse("more");
    this.#digester?.update(bytes);
    if (this.#heldBytes + bytes.length > this.#held.length) this.#flush();
    if (bytes.length > this.#held.length) {
      writeFully(this.#open(), bytes);
    } else {
      this.#held.set(bytes, this.#heldBytes);
      this.#heldBytes += bytes.length;
    }
  }

  /** @throws MirrorError BASE_MISMATCH when the result is not what the set recorded */
  finish(attributes: FileAttributes): void {
    this.#check();
    const place = joinPaths(STAGE, this.#path);
    if (this.#isSmall) this.#tree.writeFile(place, this.#held, attributes);
    else this.#place(place, attributes);
  }

  /** As `finish`, for a version that a later set changes: held in memory where there is room. */
  finishVersion(versions: HeldVersions): void {
    this.#check();
    const isHeld = this.#isSmall && versions.keep(this.#path, this.#held);
    if (isHeld) return;
    const place = joinPaths(VERSIONS, this.#path);
    this.#tree.ensureDirectory(parentPath(place));
    this.#place(place, { mode: 0o600 });
  }

  /** Drops what was written, unless it can be gone on with; safe after `finish`. */
  abandon(): void {
    if (this.#fd === undefined) return;
    closeFile(this.#fd);
    this.#fd = undefined;
    if (this.#making.at === "newFile") this.#tree.unlink(this.#making.newFile);
  }

  #place(place: TreePath, attributes: FileAttributes): void {
    const written = this.#making.at === "newFile" ? this.#making.newFile : place;
    if (this.#isSmall) {
      this.#tree.writeFile(written, this.#held, attributes);
    } else {
      this.#flush();
      closeFile(this.#open());
      this.#fd = undefined;
      this.#tree.setAttributes(written, attributes);
    }
    if (written !== place) this.#tree.rename(written, place);
  }

  get #doneBytes(): number {
    return this.#making.at === "place" ? this.#making.doneBytes : 0;
  }

  get #isSmall(): boolean {
    return this.#held.length === this.#expected.sizeBytes;
  }

  #open(): number {
    this.#fd ??= this.#openNew();
    return this.#fd;
  }

  #openNew(): number {
    if (this.#making.at === "newFile") return this.#tree.createFile(this.#making.newFile);
    const place = joinPaths(STAGE, this.#path);
    const { doneBytes } = this.#making;
    return doneBytes === 0
      ? this.#tree.createFile(place)
      : this.#tree.appendToFile(place, doneBytes);
  }

  #flush(): void {
    writeFully(this.#open(), this.#held.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
  }

  #check(): void {
    const { sizeBytes, signature } = this.#expected;
    if (this.#sizeBytes !== sizeBytes) this.#refuse(String(this.#sizeBytes));
    if (this.#digester === undefined || signature === undefined) return;
    if (!equalBytes(this.#digester.finish().digest, signature.digest)) {
      const name = displayPath(this.#path);
      throw new MirrorError("BASE_MISMATCH", `${name}: the result is not what the set recorded`);
    }
  }

  #refuse(made: string): never {
    throw new MirrorError(
      "BASE_MISMATCH",
      `${displayPath(this.#path)}: ${made} bytes made, ${this.#expected.sizeBytes} expected`,
    );
  }
}

/** Makes a file from an older version of it. */
export class Patch {
  readonly #output: StagedFile;
  readonly #base: Base;
  readonly #delta = new DeltaReader();

  constructor(output: StagedFile, base: Base) {
    this.#output = output;
    this.#base = base;
  }

  /** A piece of the delta. @throws MirrorError FORMAT_INVALID, BASE_MISMATCH */
  push(bytes: Uint8Array): void {
    for (const command of this.#delta.push(bytes)) {
      if (command.kind === "literal") this.#output.write(command.bytes);
      else this.copy(command.position, command.sizeBytes);
    }
  }

  /** @throws MirrorError FORMAT_INVALID when the delta is not whole */
  finish(): void {
    this.#delta.finish();
  }

  copy(position: number, sizeBytes: number): void {
    for (let done = 0; done < sizeBytes; done += COPY_BYTES) {
      this.#output.write(this.#base.read(position + done, Math.min(COPY_BYTES, sizeBytes - done)));
    }
  }
}

/** The older version: a file of the tree or of the stage, or one that is held in memory. */
export class Base {
  readonly #name: string;
  readonly #sizeBytes: number;
  #fd: number | undefined;
  #held: Uint8Array | undefined;

  private constructor(
    path: TreePath,
    from: { readonly held: Uint8Array } | { readonly fd: number },
  ) {
    this.#name = displayPath(path);
    if ("held" in from) {
      this.#held = from.held;
      this.#sizeBytes = from.held.length;
      return;
    }
    this.#fd = from.fd;
    this.#sizeBytes = fileSize(from.fd);
    if (this.#sizeBytes > MEMORY_MAX_BYTES) return;
    this.#held = readExactly(from.fd, 0, this.#sizeBytes);
    this.close();
  }

  /** @throws MirrorError BASE_MISMATCH when there is no regular file */
  static open(tree: ConfinedTree, path: TreePath): Base {
    let fd: number;
    try {
      fd = tree.openFile(path);
    } catch (cause) {
      const message = `${displayPath(path)}: cannot read the base of a delta`;
      throw new MirrorError("BASE_MISMATCH", message, { cause });
    }
    return new Base(path, { fd });
  }

  static of(path: TreePath, held: Uint8Array): Base {
    return new Base(path, { held });
  }

  read(position: number, sizeBytes: number): Uint8Array {
    if (position + sizeBytes > this.#sizeBytes) {
      throw new MirrorError(
        "BASE_MISMATCH",
        `${this.#name}: a delta copies up to byte ${position + sizeBytes} of ${this.#sizeBytes}`,
      );
    }
    if (this.#held !== undefined) return this.#held.subarray(position, position + sizeBytes);
    if (this.#fd === undefined) throw new RangeError("base is closed");
    return readExactly(this.#fd, position, sizeBytes);
  }

  close(): void {
    if (this.#fd !== undefined) closeFile(this.#fd);
    this.#fd = undefined;
  }
}
