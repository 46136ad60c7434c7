/** Pages of tables: compressed and hashed one by one (docs/formats.md, "pages"). */
import assert from "node:assert/strict";
import { BinaryReader } from "../bytes/binary-reader.js";
import { BinaryWriter } from "../bytes/binary-writer.js";
import { sha256, toBase64url } from "../bytes/digest.js";
import { compressBrotli, decompressBrotli } from "../erasure/brotli.js";
import { MirrorError } from "../errors.js";
import { PAGE_MAX_BYTES, PAGE_STORED_MAX_BYTES } from "../limits.js";

/** A page as it is published; compressed where that saves. */
export async function packPage(raw: Uint8Array): Promise<Uint8Array> {
  assert(raw.length <= PAGE_MAX_BYTES, `a page of ${raw.length} bytes`);
  const quality = raw.length <= BEST_QUALITY_MAX_BYTES ? BEST_QUALITY : QUALITY;
  const compressed = await compressBrotli(raw, quality);
  const saves = compressed.length + SIZE_MAX_BYTES < raw.length;
  const writer = new BinaryWriter();
  writer.u8(saves ? BROTLI : NONE);
  if (saves) writer.varint(raw.length);
  writer.bytes(saves ? compressed : raw);
  assert(writer.size <= PAGE_STORED_MAX_BYTES, `a page of ${writer.size} bytes, compressed`);
  return writer.finish();
}

/** What was packed, within limits whatever the page says. @throws MirrorError DOCUMENT_INVALID */
export async function unpackPage(page: Uint8Array): Promise<Uint8Array> {
  checkSize("stored", page.length, PAGE_STORED_MAX_BYTES);
  const reader = new BinaryReader(page, "a page");
  const how = reader.u8();
  if (how === NONE) return reader.bytes(reader.remaining);
  if (how !== BROTLI) reader.refuse(`is packed in an unknown way (${how})`);
  const rawSizeBytes = reader.varint();
  checkSize("unpacked", rawSizeBytes, PAGE_MAX_BYTES);
  const stored = reader.bytes(reader.remaining);
  return decompressBrotli(stored, { rawSizeBytes, code: "DOCUMENT_INVALID", what: "a page" });
}

/** Of a page as it is published: what its reference must say. */
export function hashPage(page: Uint8Array): string {
  return toBase64url(sha256(page));
}

const NONE = 0;
const BROTLI = 1;

/** A small page is read by every replica: worth the time. A large one would take seconds. */
const BEST_QUALITY_MAX_BYTES = 32 * 1024;
const BEST_QUALITY = 11;
const QUALITY = 8;

/** The raw size as a varint is never longer. */
const SIZE_MAX_BYTES = 4;

function checkSize(which: string, sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  const message = `a page is too large: ${sizeBytes} bytes ${which}, ${maxBytes} at most`;
  throw new MirrorError("DOCUMENT_INVALID", message);
}
