/**
 * The first phase of a replay: new and changed files are written below the stage, where they have
 * the paths they will have in the tree. The tree is only read.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { equalBytes } from "../bytes/digest.js";
import { displayPath, joinPaths, parentPath, type TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree, FileAttributes } from "../disk/confined.js";
import { closeFile, fileSize, readExactly } from "../disk/file-io.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { SignatureBuilder } from "../librsync/signature.js";
import type { Attributes, ContentsEntry, FileEntry, SpecialObject } from "../manifest/contents.js";
import { digestSignature } from "../manifest/signature-digest.js";
import type { Log, Progress } from "../runtime.js";
import { type CheckStep, type PlanRules, USE_FIRST, USE_LAST } from "./plan.js";
import { Base, Patch, StagedFile } from "./staged-file.js";
import { STAGE } from "./staging.js";
import {
  beyondEnd,
  byOrigin,
  type PlannedSet,
  stripesOf,
  type VolumeChunk,
  type WorkItem,
  workItems,
} from "./work.js";

export interface BuildOptions {
  readonly tree: ConfinedTree;
  readonly sets: readonly PlannedSet[];
  readonly rules: PlanRules;
  readonly makeSpecial: (path: TreePath, object: SpecialObject) => Promise<void>;
  readonly log: Log;
  readonly stagedBytes: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Stages all that the sets' needed entries ask for; returns the files whose base was not what the delta expects. */
export async function buildStage(options: BuildOptions): Promise<TreePath[]> {
  const builder = new Builder(options);
  try {
    for (const { origin, sets } of byOrigin(options.sets)) {
      const requests = stripesOf(workItems(sets), (item) => builder.queue(item));
      for await (const chunk of origin.read(requests, options.signal)) builder.feed(chunk);
    }
    builder.finish();
  } finally {
    builder.close();
  }
  await builder.makeSpecials();
  return builder.damaged;
}

/** The files of `checks` whose content is not what the set recorded. */
export async function checkFiles(
  tree: ConfinedTree,
  checks: readonly CheckStep[],
  signal: AbortSignal,
): Promise<TreePath[]> {
  const damaged: TreePath[] = [];
  for (const { path, signature } of checks) {
    const found = await signFile(tree, path, signature.blockLength, signal);
    if (found === undefined || !equalBytes(found, signature.digest)) damaged.push(path);
  }
  return damaged;
}

/** Obeys work items, oldest first, as the bytes of their volumes arrive. Synchronous: small files dominate. */
class Builder {
  readonly damaged: TreePath[] = [];
  readonly #options: BuildOptions;
  readonly #queue: WorkItem[] = [];
  #next = 0;
  readonly #damaged = new Set<TreePath>();
  readonly #specials: { path: TreePath; object: SpecialObject; attributes: FileAttributes }[] = [];
  /** What a new object has without being asked: no need to change it to that. */
  readonly #newOwner: { readonly uid: number; readonly gid: number };
  #target: Target | undefined;
  #doneBytes = 0;

  constructor(options: BuildOptions) {
    this.#options = options;
    const stage = options.tree.lstat(STAGE);
    this.#newOwner = { uid: stage?.uid ?? -1, gid: stage?.gid ?? -1 };
  }

  queue(item: WorkItem): void {
    this.#queue.push(item);
  }

  /** Takes from `chunk` what the items at the front of the queue want of it. */
  feed(chunk: VolumeChunk): void {
    for (let item = this.#front(); item !== undefined; item = this.#front()) {
      if (!item.isComplete) {
        const slice = item.take(chunk);
        if (slice === undefined) return;
        this.#write(item, slice);
      }
      if (item.isComplete) this.#complete(item);
    }
  }

  /** The items that need no more bytes. */
  finish(): void {
    for (let item = this.#front(); item !== undefined; item = this.#front()) {
      if (!item.isComplete) throw beyondEnd(item.entry);
      this.#complete(item);
    }
  }

  /** Fifos and devices: each costs a process, so they come last. */
  async makeSpecials(): Promise<void> {
    for (const { path, object, attributes } of this.#specials) {
      await this.#options.makeSpecial(path, object);
      this.#options.tree.setAttributes(path, attributes);
    }
  }

  close(): void {
    this.#target?.abandon();
    this.#target = undefined;
  }

  #front(): WorkItem | undefined {
    const item = this.#queue[this.#next];
    if (item === undefined || this.#next < QUEUE_TRIM) return item;
    this.#queue.splice(0, this.#next);
    this.#next = 0;
    return item;
  }

  #write(item: WorkItem, slice: Uint8Array): void {
    const { entry } = item;
    if (this.#damaged.has(entry.path)) return;
    if (
      this.#target === undefined &&
      entry.kind === "snapshot" &&
      slice.length === item.sizeBytes
    ) {
      this.#writeWhole(item, entry, slice);
      return;
    }
    this.#guardBase(entry, () => {
      this.#target ??= this.#openTarget(item);
      this.#target.push(slice);
    });
  }

  /** The common case: all of a small file lies in one chunk. */
  #writeWhole(item: WorkItem, entry: FileEntry, bytes: Uint8Array): void {
    if (bytes.length !== entry.sizeBytes) throw wrongSize(entry, bytes.length);
    const isLast = (item.use & USE_LAST) !== 0;
    const attributes = isLast ? this.#attributes(entry.attributes) : INTERMEDIATE;
    this.#options.tree.writeFile(this.#stagePath(entry.path), bytes, attributes);
  }

  #complete(item: WorkItem): void {
    this.#next++;
    const { entry } = item;
    if (this.#damaged.has(entry.path)) return;
    if (entry.kind === "object") this.#makeObject(entry.path, entry.object, entry.attributes);
    if (entry.kind === "object" || entry.kind === "deleted") return;
    if (item.sizeBytes === 0 && entry.kind === "snapshot") {
      this.#writeWhole(item, entry, NOTHING);
    } else if (this.#target !== undefined || entry.kind !== "snapshot") {
      this.#guardBase(entry, () => this.#finishTarget(item, entry));
    }
    this.#doneBytes += entry.sizeBytes;
    this.#options.progress("build", this.#doneBytes, this.#options.stagedBytes);
  }

  #finishTarget(item: WorkItem, entry: FileEntry): void {
    this.#target ??= this.#openTarget(item);
    if (entry.kind === "prefix") this.#target.copyPrefix(entry.sizeBytes);
    const isLast = (item.use & USE_LAST) !== 0;
    this.#target.finish(
      entry.sizeBytes,
      isLast ? this.#attributes(entry.attributes) : INTERMEDIATE,
    );
    this.#target = undefined;
  }

  #openTarget(item: WorkItem): Target {
    const { entry, use } = item;
    const { tree } = this.#options;
    const staged = this.#stagePath(entry.path);
    const isFinal = (use & USE_LAST) !== 0;
    const expected =
      isFinal && (entry.kind === "diff" || entry.kind === "prefix") ? entry.signature : undefined;
    const output = new StagedFile(tree, entry.path, expected);
    if (entry.kind === "snapshot") return new Target(output, undefined);
    return new Target(output, new Base(tree, (use & USE_FIRST) !== 0 ? entry.path : staged));
  }

  /** A base that does not fit makes its file damaged; the rest goes on. */
  #guardBase(entry: ContentsEntry, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.close();
      if (!isMirrorError(error, "BASE_MISMATCH")) throw error;
      this.damaged.push(entry.path);
      this.#damaged.add(entry.path);
      const { tree } = this.#options;
      const staged = joinPaths(STAGE, entry.path);
      if (tree.lstat(staged) !== undefined) tree.unlink(staged);
    }
  }

  #makeObject(path: TreePath, object: SpecialObject, attributes: Attributes): void {
    const { tree } = this.#options;
    const staged = this.#stagePath(path);
    switch (object.type) {
      case "directory":
        tree.ensureDirectory(staged);
        return;
      case "symlink":
        tree.symlink(object.target, staged);
        tree.setAttributes(staged, this.#attributes(attributes));
        return;
      case "characterDevice":
      case "blockDevice":
        if (process.getuid?.() !== 0) {
          this.#options.log.warn("device.skipped", { path, reason: "only root can make devices" });
          return;
        }
        break;
      case "fifo":
        break;
    }
    this.#specials.push({ path: staged, object, attributes: this.#attributes(attributes) });
  }

  #stagePath(path: TreePath): TreePath {
    const staged = joinPaths(STAGE, path);
    if (path !== "") this.#options.tree.ensureDirectory(parentPath(staged));
    return staged;
  }

  #attributes(attributes: Attributes): FileAttributes {
    const { mode, mtime } = attributes;
    const wanted = this.#options.rules.ownerOf(attributes);
    const { uid, gid } = this.#newOwner;
    if (wanted === undefined || (wanted.uid === uid && wanted.gid === gid)) return { mode, mtime };
    return { mode, mtime, ...wanted };
  }
}

/** A file in the making and, for a delta, what it is applied to. */
class Target {
  readonly #output: StagedFile;
  readonly #base: Base | undefined;
  readonly #patch: Patch | undefined;
  #isPrefix = false;

  constructor(output: StagedFile, base: Base | undefined) {
    this.#output = output;
    this.#base = base;
    if (base !== undefined) this.#patch = new Patch(output, base);
  }

  push(bytes: Uint8Array): void {
    if (this.#patch === undefined) this.#output.write(bytes);
    else this.#patch.push(bytes);
  }

  copyPrefix(sizeBytes: number): void {
    this.#isPrefix = true;
    this.#patch?.copy(0, sizeBytes);
  }

  finish(sizeBytes: number, attributes: FileAttributes): void {
    if (!this.#isPrefix) this.#patch?.finish();
    this.#base?.close();
    this.#output.finish(sizeBytes, attributes);
  }

  abandon(): void {
    this.#base?.close();
    this.#output.abandon();
  }
}

/** What a file is while more sets will change it. */
const INTERMEDIATE: FileAttributes = { mode: 0o600 };
const NOTHING = new Uint8Array(0);
/** Obeyed items are dropped from the queue in batches of this many. */
const QUEUE_TRIM = 4096;
/** Files are signed in pieces of this size; between them others get their turn. */
const SIGN_BYTES = 1024 * 1024;

async function signFile(
  tree: ConfinedTree,
  path: TreePath,
  blockLength: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (tree.lstat(path)?.isFile() !== true) return undefined;
  const fd = tree.openFile(path);
  try {
    const builder = new SignatureBuilder(blockLength);
    const sizeBytes = fileSize(fd);
    for (let at = 0; at < sizeBytes; at += SIGN_BYTES) {
      signal.throwIfAborted();
      builder.update(readExactly(fd, at, Math.min(SIGN_BYTES, sizeBytes - at)));
      if (sizeBytes > SIGN_BYTES) await nextTurn();
    }
    return digestSignature(builder.finish()).digest;
  } finally {
    closeFile(fd);
  }
}

function wrongSize(entry: FileEntry, sizeBytes: number): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents give ${displayPath(entry.path)} ${entry.sizeBytes} bytes, its data has ${sizeBytes}`,
  );
}
