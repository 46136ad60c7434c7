/** Entries as a page of contents keeps them. */
import {
  type ContentsEntry,
  decodeContentsPage,
  encodeContentsPage,
} from "../../src/manifest/contents.js";

export function readBack(entries: readonly ContentsEntry[]): unknown[] {
  return [...decodeContentsPage(encodeContentsPage(entries))].map(plainEntry);
}

/** With plain arrays for bytes, whatever holds them. */
export function plainEntry(entry: ContentsEntry): unknown {
  if (!("signature" in entry)) return entry;
  const { blockLength, digest } = entry.signature;
  return { ...entry, signature: { blockLength, digest: [...digest] } };
}
