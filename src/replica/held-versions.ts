/** Versions of files that a later set changes again: most are small, and need no file of their own. */
import type { TreePath } from "../bytes/tree-path.js";

const HELD_MAX_BYTES = 16 * 1024 * 1024;
/** What a held version costs besides its bytes. */
const OVERHEAD_BYTES = 256;

/** At most HELD_MAX_BYTES of memory; one version of a path at a time. */
export class HeldVersions {
  readonly #versions = new Map<TreePath, Uint8Array>();
  #freeBytes = HELD_MAX_BYTES;

  /** Keeps `bytes`, which are not changed any more, if there is room for them; whether there is. */
  keep(path: TreePath, bytes: Uint8Array): boolean {
    const cost = costOf(path, bytes);
    if (cost > this.#freeBytes) return false;
    this.#freeBytes -= cost;
    this.#versions.set(path, bytes);
    return true;
  }

  /** The version of `path`, if it was kept; no longer kept then. */
  take(path: TreePath): Uint8Array | undefined {
    const bytes = this.#versions.get(path);
    if (bytes === undefined) return undefined;
    this.#versions.delete(path);
    this.#freeBytes += costOf(path, bytes);
    return bytes;
  }
}

function costOf(path: TreePath, bytes: Uint8Array): number {
  return path.length + bytes.length + OVERHEAD_BYTES;
}
