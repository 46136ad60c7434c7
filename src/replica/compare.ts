/** How an object of the tree differs from what its set recorded. Pure. */
import type { TreePath } from "../bytes/tree-path.js";
import { holdsTime } from "../disk/held-time.js";
import type { Attributes, ContentsEntry, SpecialObject } from "../manifest/contents.js";
import type { Owner } from "./owners.js";
import type { LocalObject, PlanRules } from "./plan.js";

/** All that can be wrong with a path, one word each. */
export const FINDING_KINDS = [
  /** The set has it, the tree does not. */
  "missing",
  /** The tree has it, the set does not. */
  "extra",
  /** Something else stands there: a directory for a file, another device. */
  "type",
  /** A file of another size, or with other bytes. */
  "content",
  /** A file that the system cannot read. */
  "unreadable",
  /** A symlink that points elsewhere. */
  "target",
  "mode",
  "owner",
  /** The time of the last change, in whole seconds. */
  "mtime",
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  readonly path: TreePath;
  readonly kind: FindingKind;
}

/** What shall stand at a path, in a form that can be sent to another thread. */
export interface Expected {
  readonly path: TreePath;
  readonly object: SpecialObject | ExpectedFile;
  readonly mode: number;
  readonly mtime: number;
  /** Absent: the owner does not matter. */
  readonly owner: Owner | undefined;
}

export interface ExpectedFile {
  readonly type: "file";
  readonly sizeBytes: number;
  /** Absent when the set has none: then only the size tells. */
  readonly signature: { readonly blockLength: number; readonly digest: string } | undefined;
}

/** What an entry, the last of its path, asks for; nothing when the path shall not be there. */
export function expectedOf(
  entry: ContentsEntry,
  ownerOf: PlanRules["ownerOf"],
): Expected | undefined {
  if (entry.kind === "deleted") return undefined;
  const { path, attributes } = entry;
  const object = entry.kind === "object" ? entry.object : expectedFile(entry);
  return { path, object, ...plainAttributes(attributes), owner: ownerOf(attributes) };
}

/** All differences that show without reading a file. */
export function differences(expected: Expected, local: LocalObject | undefined): FindingKind[] {
  if (local === undefined) return ["missing"];
  const { object } = expected;
  if (object.type !== local.type) return ["type"];
  const found: FindingKind[] = [];
  if (object.type === "file") {
    if (object.sizeBytes !== local.sizeBytes) found.push("content");
  } else if (!isSameObject(object, local)) {
    found.push(object.type === "symlink" ? "target" : "type");
  }
  return [...found, ...attributeDifferences(expected, local)];
}

export function attributeDifferences(
  { mode, mtime, owner }: Pick<Expected, "mode" | "mtime" | "owner">,
  local: LocalObject,
): FindingKind[] {
  const found: FindingKind[] = [];
  // Neither mode nor time of a symlink is the master's to say (duplicity-format 9).
  const isLink = local.type === "symlink";
  if (!isLink && mode !== local.mode) found.push("mode");
  if (owner !== undefined && (owner.uid !== local.uid || owner.gid !== local.gid)) {
    found.push("owner");
  }
  if (!isLink && !holdsTime(local.mtime, mtime)) found.push("mtime");
  return found;
}

function expectedFile(entry: Extract<ContentsEntry, { sizeBytes: number }>): ExpectedFile {
  const { sizeBytes, signature } = entry;
  if (signature === undefined) return { type: "file", sizeBytes, signature };
  const { blockLength, digest } = signature;
  return { type: "file", sizeBytes, signature: { blockLength, digest: hexDigest(digest) } };
}

/** The form of a digest that is compared: cheap to send, as it is no view of a page. */
export function hexDigest(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("hex");
}

function plainAttributes({ mode, mtime }: Attributes) {
  return { mode, mtime };
}

export function isSameObject(object: SpecialObject, local: LocalObject): boolean {
  switch (object.type) {
    case "directory":
    case "fifo":
      return local.type === object.type;
    case "symlink":
      return local.type === "symlink" && local.target === object.target;
    case "characterDevice":
    case "blockDevice":
      return (
        local.type === object.type &&
        local.device?.major === object.major &&
        local.device.minor === object.minor
      );
  }
}
