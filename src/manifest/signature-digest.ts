/** The short form in which contents tell what a file must be: a digest of its librsync signature. */
import { createHash } from "node:crypto";
import { sha256 } from "../bytes/digest.js";
import {
  parseSignature,
  parseSignatureHeader,
  SIGNATURE_HEADER_BYTES,
  SignatureBuilder,
} from "../librsync/signature.js";
import type { SignatureDigest } from "./contents.js";

/** Digests a whole signature. @throws MirrorError FORMAT_INVALID when it is not one of duplicity's */
export function digestSignature(signature: Uint8Array): SignatureDigest {
  const { blockLength } = parseSignature(signature);
  return { blockLength, digest: sha256(signature).subarray(0, DIGEST_BYTES) };
}

/** Digests a signature that comes in pieces, in little memory whatever its size. */
export class SignatureDigester {
  readonly #hash = createHash("sha256");
  readonly #head = new Uint8Array(SIGNATURE_HEADER_BYTES);
  #sizeBytes = 0;

  update(piece: Uint8Array): void {
    const missing = SIGNATURE_HEADER_BYTES - this.#sizeBytes;
    if (missing > 0) this.#head.set(piece.subarray(0, missing), this.#sizeBytes);
    this.#hash.update(piece);
    this.#sizeBytes += piece.length;
  }

  /** @throws MirrorError FORMAT_INVALID when it was not one of duplicity's signatures */
  finish(): SignatureDigest {
    const { blockLength } = parseSignatureHeader(this.#head, this.#sizeBytes);
    return { blockLength, digest: this.#hash.digest().subarray(0, DIGEST_BYTES) };
  }
}

/** Digests the signature of content that comes in pieces, in little memory whatever its size and that of its blocks. */
export class ContentDigester {
  readonly #builder: SignatureBuilder;
  readonly #digester = new SignatureDigester();
  #waitingBytes = 0;

  constructor(blockLength: number) {
    this.#builder = new SignatureBuilder(blockLength);
  }

  update(piece: Uint8Array): void {
    this.#builder.update(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes < TAKE_BYTES) return;
    this.#digester.update(this.#builder.take());
    this.#waitingBytes = 0;
  }

  finish(): SignatureDigest {
    this.#digester.update(this.#builder.finish());
    return this.#digester.finish();
  }
}

const DIGEST_BYTES = 8;

/** A signature may be many times as large as its content. */
const TAKE_BYTES = 256 * 1024;
