/**
 * Encrypted sets, of which the master knows no contents. They are fetched whole and decrypted into the cycle's work
 * folder, and described here as the master describes others; from then on they are plain sets whose volumes lie in that folder.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { toBase64url } from "../bytes/digest.js";
import { makeFolder, removeFile, writeAt } from "../disk/durable.js";
import { fileIdentity, readRange, streamFile } from "../disk/files.js";
import { formatSetName } from "../duplicity/names.js";
import { stripeSize } from "../erasure/stripe.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { cutPages } from "../manifest/contents-pages.js";
import { describeSet } from "../manifest/describe-set.js";
import type { CodedFile } from "../manifest/file-table.js";
import type { LedgerLine } from "../manifest/ledger.js";
import type { Stream } from "../manifest/paths.js";
import type { SourcePool } from "../retrieve/source-pool.js";
import { type LocatedFile, retrieveStripes, type StripeRequest } from "../retrieve/stripes.js";
import type { Decryptor } from "./decryptor.js";
import { filesOf } from "./sets.js";
import type { TableStore } from "./table-store.js";
import { everyStripe } from "./wanted-stripes.js";
import type { VolumeChunk, VolumeOrigin } from "./work.js";

export interface EncryptedSetsOptions {
  readonly session: string;
  readonly chain: number;
  readonly pool: SourcePool;
  readonly decryptor: Decryptor;
  /** The cycle's own, which is removed at its end. */
  readonly workFolder: string;
}

export class EncryptedSets implements VolumeOrigin {
  readonly #options: EncryptedSetsOptions;
  readonly #folder: string;

  constructor(options: EncryptedSetsOptions) {
    this.#options = options;
    this.#folder = path.join(options.workFolder, "decrypted");
  }

  /**
   * Fetches and decrypts a set, and gives the pages of its contents. A page may be used only when all have come.
   * @throws MirrorError CONFIG_INVALID, DECRYPTION_FAILED, SHARES_TOO_FEW, DISK_SPACE; FORMAT_INVALID when the set is
   * no whole one
   */
  async *describe(
    line: LedgerLine,
    tables: TableStore,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const name = formatSetName(line.set);
    this.#options.decryptor.readSecrets(`set ${name}`);
    makeFolder(this.#folder, 0o700);
    const entries = describeSet({
      volumes: this.#decryptVolumes(line, tables, signal),
      signatures: this.#readSignatures(line, tables, signal),
      isIncrement: line.set.kind === "increment",
    });
    try {
      for await (const page of cutPages(entries)) yield page.bytes;
    } catch (error) {
      if (!isMirrorError(error, "FORMAT_INVALID", "PATH_REFUSED", "UNSUPPORTED")) throw error;
      throw new MirrorError(error.code, `set ${name}: ${error.message}`, { cause: error });
    }
  }

  /** What lies in the folder is plain, and no share has a stripe of it. */
  locate(volume: LocatedFile): LocatedFile {
    const sizeBytes = fileIdentity(this.#place(volume.file))?.sizeBytes;
    assert(sizeBytes !== undefined, `${volume.file.name} was decrypted when its set was described`);
    return { ...volume, file: { ...volume.file, wrapping: "plain", sizeBytes, stripes: [] } };
  }

  async *read(requests: Iterable<StripeRequest>, signal: AbortSignal): AsyncGenerator<VolumeChunk> {
    let last: StripeRequest | undefined;
    for (const request of requests) {
      if (last !== undefined) yield await this.#readStripe(last, signal);
      last = request;
    }
    if (last !== undefined) yield await this.#readStripe(last, signal);
  }

  async #readStripe({ file, stripe }: StripeRequest, signal: AbortSignal): Promise<VolumeChunk> {
    const offset = stripe * file.file.stripeSizeBytes;
    const sizeBytes = stripeSize(file.file, stripe);
    const bytes = await readRange(this.#place(file.file), offset, sizeBytes, { signal });
    return { file, offset, bytes };
  }

  async *#decryptVolumes(
    line: LedgerLine,
    tables: TableStore,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly number: number; readonly chunks: AsyncIterable<Uint8Array> }> {
    for (const file of filesOf(line, "volumes", tables)) {
      const place = await this.#decrypt(line, { stream: "volumes", file }, signal);
      yield { number: file.number, chunks: streamFile(place, { signal }) };
    }
  }

  /** Without its signatures nobody could tell whether the set has all of its volumes. */
  async *#readSignatures(
    line: LedgerLine,
    tables: TableStore,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const records = [...filesOf(line, "records", tables)];
    const file = records.find(({ role }) => role === "signatures");
    if (file === undefined) refuse(line, "its signature file is not published");
    const place = await this.#decrypt(line, { stream: "records", file }, signal);
    yield* streamFile(place, { signal });
    removeFile(place);
  }

  /** @returns where the decrypted file lies */
  async #decrypt(
    line: LedgerLine,
    { stream, file }: { readonly stream: Stream; readonly file: CodedFile },
    signal: AbortSignal,
  ): Promise<string> {
    const { session, chain, decryptor } = this.#options;
    if (file.wrapping !== "gpg") refuse(line, `${file.name} is not encrypted`);
    const place = this.#place(file);
    const fetched = `${place}.gpg`;
    await this.#fetch({ session, chain, shape: line.shape, stream, file }, fetched, signal);
    await decryptor.decrypt({ from: fetched, to: place, what: file.name, signal });
    removeFile(fetched);
    return place;
  }

  async #fetch(file: LocatedFile, place: string, signal: AbortSignal): Promise<void> {
    const { pool } = this.#options;
    let offset = 0;
    for await (const { bytes } of retrieveStripes({ pool, requests: everyStripe(file), signal })) {
      writeAt(place, offset, bytes);
      offset += bytes.length;
    }
  }

  /** Named by the hash of the published file: its own name may be any. */
  #place(file: CodedFile): string {
    return path.join(this.#folder, toBase64url(file.hash));
  }
}

function refuse(line: LedgerLine, why: string): never {
  throw new MirrorError(
    "DOCUMENT_INVALID",
    `set ${formatSetName(line.set)} is published as encrypted, but ${why}`,
  );
}
