/** Compares the tree, in index order, with what shall be there. Reads only. */
import type { TreePath } from "../bytes/tree-path.js";
import { compareTreePaths } from "../bytes/tree-path.js";
import type { ConfinedTree } from "../disk/confined.js";
import { FileSigner, type Turn } from "../disk/sign-file.js";
import { isMirrorError } from "../errors.js";
import {
  differences,
  type Expected,
  type ExpectedFile,
  type Finding,
  type FindingKind,
  hexDigest,
} from "./compare.js";
import { lookUp, scanLocal } from "./local-tree.js";
import type { LocalPath } from "./plan.js";
import { holdsProtected } from "./protected.js";

/** A run of what shall be in the tree, in index order. */
export interface Batch {
  readonly expected: readonly Expected[];
  /** Nothing comes after it. */
  readonly isLast: boolean;
}

/** What became of a batch. */
export interface Compared {
  readonly findings: readonly Finding[];
  readonly entries: number;
  /** Read of files. */
  readonly bytes: number;
  /** All of the tree up to here was compared. */
  readonly upTo: TreePath | undefined;
}

export class Comparer {
  readonly #tree: ConfinedTree;
  readonly #isProtected: (path: TreePath) => boolean;
  readonly #turn: Turn;
  readonly #signer: FileSigner;
  #scan: Iterator<LocalPath>;
  #here: LocalPath | undefined;
  #bytes = 0;

  /** @param options.turn called between objects and between pieces of files; what it throws ends a batch */
  constructor(options: {
    readonly tree: ConfinedTree;
    readonly isProtected: (path: TreePath) => boolean;
    readonly turn: Turn;
  }) {
    this.#tree = options.tree;
    this.#isProtected = options.isProtected;
    this.#turn = options.turn;
    this.#signer = new FileSigner(options.tree, (sizeBytes) => {
      this.#bytes += sizeBytes;
      return options.turn(sizeBytes);
    });
    this.#scan = scanLocal(options.tree);
  }

  /** Begins anew after a path of the tree; without one at the root. */
  begin(after: TreePath | undefined): void {
    this.#scan = scanLocal(this.#tree, after);
    this.#advance();
  }

  /** Compares the next run. */
  async compare({ expected, isLast }: Batch): Promise<Compared> {
    const findings: Finding[] = [];
    this.#bytes = 0;
    for (const one of expected) {
      await this.#turn(0);
      await this.#passExtras(one.path, findings);
      const local = this.#here?.path === one.path ? this.#here.object : undefined;
      if (local !== undefined) this.#advance();
      for (const kind of await this.#examine(one, local)) findings.push({ path: one.path, kind });
    }
    if (isLast) await this.#passExtras(undefined, findings);
    const upTo = expected.at(-1)?.path;
    return { findings, entries: expected.length, bytes: this.#bytes, upTo };
  }

  /** Local objects before `limit`: the target does not have them. */
  async #passExtras(limit: TreePath | undefined, findings: Finding[]): Promise<void> {
    for (let here = this.#here; here !== undefined; here = this.#here) {
      if (limit !== undefined && compareTreePaths(here.path, limit) >= 0) return;
      await this.#turn(0);
      if (this.#isExtra(here)) findings.push({ path: here.path, kind: "extra" });
      this.#advance();
    }
  }

  #isExtra({ path, object }: LocalPath): boolean {
    if (this.#isProtected(path)) return false;
    if (object.type !== "directory") return true;
    return !holdsProtected(this.#tree, path, this.#isProtected);
  }

  async #examine(expected: Expected, scanned: LocalPath["object"] | undefined) {
    // Between the listing of a directory and now somebody may have put it there.
    const local = scanned ?? lookUp(this.#tree, expected.path);
    const found = differences(expected, local);
    const { object, path } = expected;
    if (object.type !== "file" || local?.type !== "file" || found.includes("content")) return found;
    const content = await this.#checkContent(path, object);
    return content === undefined ? found : [content, ...found];
  }

  async #checkContent(
    path: TreePath,
    { signature }: ExpectedFile,
  ): Promise<FindingKind | undefined> {
    if (signature === undefined) return undefined;
    try {
      const digest = await this.#signer.sign(path, signature.blockLength);
      return hexDigest(digest) === signature.digest ? undefined : "content";
    } catch (error) {
      if (isMirrorError(error, "TREE_DIVERGED")) return "content";
      if (isMirrorError(error, "DISK_FAILED")) return "unreadable";
      throw error;
    }
  }

  #advance(): void {
    const next = this.#scan.next();
    this.#here = next.done === true ? undefined : next.value;
  }
}
