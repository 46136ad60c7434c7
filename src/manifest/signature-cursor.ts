/** Walks a signature archive beside the volumes of its set (duplicity-format 5.2). */
import assert from "node:assert/strict";
import { displayPath, type TreePath } from "../bytes/tree-path.js";
import { type SigtarEntry, SigtarReader } from "../duplicity/sigtar.js";
import { MirrorError } from "../errors.js";
import type { ContentsEntry, SignatureDigest } from "./contents.js";
import { digestSignature, SignatureDigester } from "./signature-digest.js";

/**
 * A set's archive names exactly the paths of its volumes, in the same order. Where it does not, a resumed backup has
 * recorded files that no volume holds (10.2), and MirrorError FORMAT_INVALID is thrown.
 */
export class SignatureCursor {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #reader = new SigtarReader(WHAT);
  #ready: SignedPath[] = [];
  #next = 0;
  /** The entry that is being read, and its signature. */
  #entry: SigtarEntry | undefined;
  #signature: SignatureDigest | undefined;
  #digester: SignatureDigester | undefined;
  #isOver = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** `entry` with its signature, when that is read already: waiting for every entry would cost more than the work. */
  signIfReady(entry: ContentsEntry): ContentsEntry | undefined {
    const signed = this.#ready[this.#next];
    if (signed === undefined) return undefined;
    this.#next += 1;
    return join(entry, signed);
  }

  /** `entry` with its signature, which is the archive's next. */
  async sign(entry: ContentsEntry): Promise<ContentsEntry> {
    await this.#load();
    return this.signIfReady(entry) ?? refuse(`ends before ${displayPath(entry.path)}`);
  }

  /** Reads to the end, where nothing may be left over. */
  async finish(): Promise<void> {
    await this.#load();
    const left = this.#ready[this.#next];
    if (left !== undefined)
      refuse(`names ${displayPath(left.path)}, which the volumes do not hold at its place`);
  }

  /** Lets go of the archive, read or not. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Unless something is ready, reads on until it is, or the archive is over. */
  async #load(): Promise<void> {
    while (this.#next === this.#ready.length && !this.#isOver) {
      this.#ready = [];
      this.#next = 0;
      const result = await this.#chunks.next();
      if (result.done === true) this.#end();
      else this.#push(result.value);
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#reader.finish();
  }

  #push(chunk: Uint8Array): void {
    for (const event of this.#reader.push(chunk)) {
      if (event.kind === "entry") this.#begin(event.entry);
      else if (event.kind === "data") this.#addData(event.bytes);
      else this.#endEntry();
    }
  }

  #begin(entry: SigtarEntry): void {
    this.#entry = entry;
    this.#signature = undefined;
    this.#digester = undefined;
  }

  #addData(bytes: Uint8Array): void {
    if (bytes.length === this.#entry?.sizeBytes) {
      // Whole in one part, as nearly all are: hashing at once is several times quicker.
      this.#signature = digestSignature(bytes);
      return;
    }
    this.#digester ??= new SignatureDigester();
    this.#digester.update(bytes);
  }

  #endEntry(): void {
    assert(this.#entry !== undefined, "an entry comes before its end");
    const { kind, path } = this.#entry;
    if (kind !== "signature") {
      this.#ready.push({ kind, path });
    } else {
      const signature = this.#signature ?? (this.#digester ?? new SignatureDigester()).finish();
      this.#ready.push({ kind, path, signature });
    }
  }
}

type SignedPath =
  | { readonly kind: "signature"; readonly path: TreePath; readonly signature: SignatureDigest }
  | { readonly kind: "snapshot" | "deleted"; readonly path: TreePath };

const WHAT = "signature archive";

function join(entry: ContentsEntry, signed: SignedPath): ContentsEntry {
  if (entry.path !== signed.path) {
    refuse(`names ${displayPath(signed.path)} where the volumes have ${displayPath(entry.path)}`);
  }
  switch (entry.kind) {
    case "deleted":
      if (signed.kind === "deleted") return entry;
      break;
    case "object":
      if (signed.kind === "snapshot") return entry;
      break;
    case "snapshot":
    case "diff":
    case "rewrite":
    case "prefix":
      if (signed.kind === "signature") return { ...entry, signature: signed.signature };
      break;
  }
  return refuse(
    `has a ${signed.kind} of ${displayPath(entry.path)}, for which the volumes have a ${entry.kind}`,
  );
}

function refuse(why: string): never {
  throw new MirrorError(
    "FORMAT_INVALID",
    `${WHAT} ${why}; a resumed backup does this: make a new full one`,
  );
}
