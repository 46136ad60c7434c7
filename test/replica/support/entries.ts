/** Entries of contents, short to write. */
import { type TreePath, toTreePath } from "../../../src/bytes/tree-path.js";
import type {
  Attributes,
  ContentsEntry,
  DataRun,
  FileEntry,
} from "../../../src/manifest/contents.js";

export const ATTRIBUTES: Attributes = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  userName: "",
  groupName: "",
  mtime: 1000,
};

export function paths(...texts: readonly string[]): TreePath[] {
  return texts.map(toTreePath);
}

/** A file of which nothing but `changes` matters. */
export function fileEntry(
  kind: FileEntry["kind"],
  path: string,
  changes: Partial<FileEntry> = {},
): FileEntry {
  return {
    kind,
    path: toTreePath(path),
    attributes: ATTRIBUTES,
    sizeBytes: 0,
    data: [],
    ...changes,
  };
}

export function run(volume: number, offset: number, sizeBytes: number): DataRun {
  return { volume, offset, pieceSizeBytes: sizeBytes, pieceCount: 1, strideBytes: sizeBytes };
}

export function directoryEntry(path: string, changes: Partial<Attributes> = {}): ContentsEntry {
  const attributes = { ...ATTRIBUTES, mode: 0o755, ...changes };
  return { kind: "object", path: toTreePath(path), attributes, object: { type: "directory" } };
}

export function linkEntry(path: string, target: string): ContentsEntry {
  const object = { type: "symlink", target } as const;
  return { kind: "object", path: toTreePath(path), attributes: ATTRIBUTES, object };
}

export function deletedEntry(path: string): ContentsEntry {
  return { kind: "deleted", path: toTreePath(path) };
}
