/**
 * Paths inside a mirrored tree. A path is bytes; it is held as a latin1 string (one UTF-16 unit per
 * byte), so that it can be a key, be compared and be cut without loss. Never decode it otherwise.
 */

import { MirrorError } from "../errors.js";
import { NAME_MAX_BYTES, PATH_MAX_BYTES } from "../limits.js";
import { quoted, shown } from "./quoted.js";

declare const checked: unique symbol;

/** A checked path: relative, no empty component, no `.` or `..`, no NUL. The root is the empty string. */
export type TreePath = string & { readonly [checked]: true };

export const ROOT = "" as TreePath;

/** Checks a latin1 string. @throws MirrorError PATH_REFUSED */
export function toTreePath(latin1: string): TreePath {
  if (latin1.length > PATH_MAX_BYTES) refuse(latin1, `is longer than ${PATH_MAX_BYTES} bytes`);
  if (latin1 === "") return ROOT;
  let start = 0;
  for (let at = 0; at <= latin1.length; at++) {
    const unit = at === latin1.length ? SLASH : latin1.charCodeAt(at);
    if (unit === 0) refuse(latin1, "holds a NUL byte");
    if (unit > 0xff) refuse(latin1, "is not a string of bytes");
    if (unit !== SLASH) continue;
    checkComponent(latin1, start, at);
    start = at + 1;
  }
  return latin1 as TreePath;
}

/** The path of `name`, one component, in `directory`. @throws MirrorError PATH_REFUSED */
export function childPath(directory: TreePath, name: string): TreePath {
  return toTreePath(directory === "" ? name : `${directory}/${name}`);
}

/** `path` as it is called from `directory`'s own parent: both are checked, so only the length may grow. */
export function joinPaths(directory: TreePath, path: TreePath): TreePath {
  if (directory === "" || path === "") return (directory + path) as TreePath;
  return `${directory}/${path}` as TreePath;
}

/** The directory that holds `path`; the root's is the root. */
export function parentPath(path: TreePath): TreePath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/"))) as TreePath;
}

/** The parents of paths that come in order: mostly the one before has the same, which is given again without a copy. */
export class Parents {
  #path = ROOT;
  #parent = ROOT;

  /** As `parentPath`. */
  of(path: TreePath): TreePath {
    if (path === this.#path) return this.#parent;
    this.#path = path;
    const parent = parentPath(path);
    if (parent !== this.#parent) this.#parent = parent;
    return this.#parent;
  }
}

/** The last component of `path`. */
export function baseName(path: TreePath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether `path` is `directory` or lies below it. */
export function isWithin(path: TreePath, directory: TreePath): boolean {
  const size = directory.length;
  if (size === 0) return true;
  // Most paths are told apart by this byte alone.
  if (path.length > size && path.charCodeAt(size) !== SLASH) return false;
  return path.startsWith(directory);
}

/**
 * duplicity's order (duplicity-format 3.2): component by component, bytes unsigned, a prefix first;
 * that is bytewise with `/` below every other byte.
 */
export function compareTreePaths(a: TreePath, b: TreePath): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    if (left === SLASH) return -1;
    if (right === SLASH) return 1;
    return left - right;
  }
  return a.length - b.length;
}

/** The bytes of a latin1 string. */
export function latin1Bytes(latin1: string): Uint8Array {
  return Buffer.from(latin1, "latin1");
}

/** `bytes` as a latin1 string. */
export function latin1String(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** A path as people read it: UTF-8 where it is, control characters escaped; for messages only. */
export function displayPath(latin1: string): string {
  const text = new TextDecoder().decode(latin1Bytes(latin1));
  return text.includes("\ufffd") || shown(text) !== text ? quoted(latin1) : text || ".";
}

const SLASH = 0x2f;

function checkComponent(path: string, start: number, end: number): void {
  const size = end - start;
  if (size === 0) refuse(path, "has an empty component");
  if (size > NAME_MAX_BYTES) refuse(path, `has a component longer than ${NAME_MAX_BYTES} bytes`);
  if (path.charCodeAt(start) !== 0x2e) return;
  if (size === 1 || (size === 2 && path.charCodeAt(start + 1) === 0x2e)) {
    refuse(path, "has a component . or ..");
  }
}

function refuse(path: string, why: string): never {
  throw new MirrorError("PATH_REFUSED", `path ${displayPath(path.slice(0, 200))} ${why}`);
}
