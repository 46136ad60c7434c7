/** What duplicity would write for a set of a model tree: the tars of its volumes and signatures. */
import { SignatureBuilder } from "../../../src/librsync/signature.js";
import { concat, type TarFields, tarEntry } from "../../support/tar.js";
import { type Model, type ModelObject, sortedPaths } from "./model.js";

export interface ArchiveOptions {
  /** Files are cut into pieces of this. */
  readonly pieceSizeBytes?: number;
  /** A volume is closed once it has this much. */
  readonly volumeSizeBytes?: number;
}

export interface ArchivedSet {
  readonly volumes: readonly Uint8Array[];
  readonly signatures: Uint8Array;
}

/** The full set of `after`, or the increment from `before` to it. */
export function archiveSet(
  before: Model | undefined,
  after: Model,
  options: ArchiveOptions = {},
): ArchivedSet {
  const entries: Uint8Array[] = [];
  const signatures: Uint8Array[] = [];
  for (const path of sortedPaths(new Set([...(before?.keys() ?? []), ...after.keys()]))) {
    const old = before?.get(path);
    const object = after.get(path);
    if (object === undefined) {
      entries.push(deletion(path));
      signatures.push(deletion(path));
    } else if (old === undefined || !isSame(old, object)) {
      entries.push(...archiveObject(path, old, object, options.pieceSizeBytes ?? 65_536));
      signatures.push(signatureEntry(path, object));
    }
  }
  const volumes = cutVolumes(entries, options.volumeSizeBytes ?? Infinity);
  return { volumes, signatures: concat(...signatures, END) };
}

/** A librsync delta from `old` to `wanted`: what they begin and end with alike is copied. */
function makeDelta(old: Uint8Array, wanted: Uint8Array): Uint8Array {
  const most = Math.min(old.length, wanted.length);
  let head = 0;
  while (head < most && old[head] === wanted[head]) head++;
  let tail = 0;
  while (tail < most - head && old.at(-1 - tail) === wanted.at(-1 - tail)) tail++;
  const middle = wanted.subarray(head, wanted.length - tail);
  return concat(
    Uint8Array.of(0x72, 0x73, 0x02, 0x36),
    copyCommand(0, head),
    middle.length === 0 ? EMPTY : concat(Uint8Array.of(0x43), uint32(middle.length), middle),
    copyCommand(old.length - tail, tail),
    Uint8Array.of(0),
  );
}

const EMPTY = new Uint8Array();
const END = new Uint8Array(1024);
const BLOCK_LENGTH = 512;

function copyCommand(position: number, sizeBytes: number): Uint8Array {
  if (sizeBytes === 0) return EMPTY;
  return concat(Uint8Array.of(0x45 + 4 * 2 + 2), uint32(position), uint32(sizeBytes));
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function archiveObject(
  path: string,
  old: ModelObject | undefined,
  object: ModelObject,
  pieceSizeBytes: number,
): Uint8Array[] {
  if (object.type !== "file") return [specialEntry(path, object)];
  const kind = old?.type === "file" ? "diff" : "snapshot";
  const data = old?.type === "file" ? makeDelta(old.content, object.content) : object.content;
  const fields = attributeFields(object);
  if (data.length < pieceSizeBytes) return [tarEntry({ name: `${kind}/${path}`, ...fields, data })];
  return Array.from({ length: Math.floor(data.length / pieceSizeBytes) + 1 }, (_, at) =>
    tarEntry({
      name: `multivol_${kind}/${path}/${at + 1}`,
      ...fields,
      data: data.subarray(at * pieceSizeBytes, (at + 1) * pieceSizeBytes),
    }),
  );
}

function signatureEntry(path: string, object: ModelObject): Uint8Array {
  if (object.type !== "file") return specialEntry(path, object);
  const builder = new SignatureBuilder(BLOCK_LENGTH);
  builder.update(object.content);
  const data = builder.finish();
  return tarEntry({ name: `signature/${path}`, ...attributeFields(object), data });
}

function specialEntry(path: string, object: Exclude<ModelObject, { type: "file" }>): Uint8Array {
  const fields = attributeFields(object);
  switch (object.type) {
    case "directory":
      return tarEntry({ name: `snapshot/${path === "" ? "" : `${path}/`}`, type: "5", ...fields });
    case "symlink":
      return tarEntry({ name: `snapshot/${path}`, type: "2", link: object.target, ...fields });
    case "fifo":
      return tarEntry({ name: `snapshot/${path}`, type: "6", ...fields });
  }
}

function deletion(path: string): Uint8Array {
  return tarEntry({ name: `deleted/${path}`, mtime: octal(0, 12), userName: "", groupName: "" });
}

function attributeFields({ mode, mtime }: ModelObject): Pick<TarFields, "mode" | "mtime"> {
  return { mode: octal(mode, 8), mtime: octal(mtime, 12) };
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}

function isSame(a: ModelObject, b: ModelObject): boolean {
  if (a.type === "symlink" && b.type === "symlink") return a.target === b.target;
  if (a.type !== b.type || a.mode !== b.mode || a.mtime !== b.mtime) return false;
  return a.type !== "file" || b.type !== "file" || a.content.equals(b.content);
}

function cutVolumes(entries: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  const volumes: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  let openBytes = 0;
  for (const entry of entries) {
    open.push(entry);
    openBytes += entry.length;
    if (openBytes < sizeBytes) continue;
    volumes.push(concat(...open, END));
    open = [];
    openBytes = 0;
  }
  if (open.length > 0 || volumes.length === 0) volumes.push(concat(...open, END));
  return volumes;
}
