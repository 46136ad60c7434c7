/** What obeys the work items of a build; in the cycle's own thread, or in one of its own (build-worker.ts). */
import { displayPath, joinPaths, parentPath, type TreePath } from "../bytes/tree-path.js";
import type { ConfinedTree, FileAttributes } from "../disk/confined.js";
import { isMirrorError, MirrorError } from "../errors.js";
import type { Attributes, ContentsEntry, FileEntry, SpecialObject } from "../manifest/contents.js";
import { buildsOnPrevious } from "./collapse.js";
import { HeldVersions } from "./held-versions.js";
import { type PlanRules, USE_FIRST, USE_LAST } from "./plan.js";
import { Base, type Making, Patch, StagedFile } from "./staged-file.js";
import { newFile, RECORD, STAGE, VERSIONS } from "./staging.js";
import { beyondEnd, type SetChunk, type WorkItem, type WorkPage, workItems } from "./work.js";

export interface BuilderOptions {
  readonly tree: ConfinedTree;
  readonly ownerOf: PlanRules["ownerOf"];
  /** Which of all that build the same, from 0. */
  readonly number: number;
}

/** An object that only a program can make, at its place below the stage. */
export interface SpecialStep {
  readonly path: TreePath;
  readonly object: SpecialObject;
  readonly attributes: FileAttributes;
}

/** Obeys work items, oldest first, as the bytes of their volumes arrive. Synchronous: small files dominate. */
export class Builder {
  /** Files whose base was not what a delta expects. */
  readonly damaged: TreePath[] = [];
  /** Fifos and devices: each costs a process, so they are left for the end, and to others. */
  readonly specials: SpecialStep[] = [];
  /** Devices, when it is not root who builds. */
  readonly skipped: TreePath[] = [];
  readonly #options: BuilderOptions;
  #doneBytes = 0;
  /** Not decoded yet: those of a large wrapped volume are many, as all come before its first byte. */
  readonly #pages: WorkPage[] = [];
  /** Of the page that is being obeyed, from `#next` on. */
  #items: readonly WorkItem[] = [];
  #next = 0;
  readonly #damaged = new Set<TreePath>();
  readonly #versions = new HeldVersions();
  /** What a new object has without being asked: no need to change it to that. */
  readonly #newOwner: { readonly uid: number; readonly gid: number };
  #target: Target | undefined;

  constructor(options: BuilderOptions) {
    this.#options = options;
    // The stage itself may have the owner of the tree's root by now.
    const record = options.tree.lstat(RECORD);
    this.#newOwner = { uid: record?.uid ?? -1, gid: record?.gid ?? -1 };
  }

  /** What is staged, of the file that is being written too. */
  get doneBytes(): number {
    return this.#doneBytes + (this.#target?.writtenBytes ?? 0);
  }

  /** To be done after the pages before it; what needs no bytes, and waits for nothing, at once. */
  addPage(page: WorkPage): void {
    this.#pages.push(page);
    this.#completeFirst();
  }

  /** Takes from `chunk` what the items at the front of the queue want of it. */
  feed(chunk: SetChunk): void {
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

  close(): void {
    this.#target?.abandon();
    this.#target = undefined;
  }

  /** A tree of a million empty files would otherwise wait here as a whole. */
  #completeFirst(): void {
    for (let item = this.#front(); item?.isComplete === true; item = this.#front()) {
      this.#complete(item);
    }
  }

  #front(): WorkItem | undefined {
    while (this.#next === this.#items.length) {
      const page = this.#pages.shift();
      if (page === undefined) return undefined;
      this.#items = workItems(page);
      this.#next = 0;
    }
    return this.#items[this.#next];
  }

  #write(item: WorkItem, slice: Uint8Array): void {
    const { entry } = item;
    if (entry.kind === "object" || entry.kind === "deleted") return;
    if (this.#damaged.has(entry.path)) return;
    if (
      this.#target === undefined &&
      entry.kind === "snapshot" &&
      item.doneBytes === 0 &&
      slice.length === item.sizeBytes
    ) {
      this.#writeWhole(item, entry, slice);
      return;
    }
    this.#guardBase(entry, () => {
      this.#target ??= this.#openTarget(item, entry);
      this.#target.push(slice);
    });
  }

  /** The common case: all of a small file lies in one chunk. */
  #writeWhole(item: WorkItem, entry: FileEntry, bytes: Uint8Array): void {
    if (bytes.length !== entry.sizeBytes) throw wrongSize(entry, bytes.length);
    if ((item.use & USE_LAST) !== 0) {
      const attributes = this.#attributes(entry.attributes);
      this.#options.tree.writeFile(this.#stagePath(entry.path), bytes, attributes);
    } else if (!this.#versions.keep(entry.path, bytes.slice())) {
      const version = joinPaths(VERSIONS, entry.path);
      this.#options.tree.ensureDirectory(parentPath(version));
      this.#options.tree.writeFile(version, bytes, { mode: 0o600 });
    }
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
    this.#doneBytes += entry.sizeBytes - item.doneBytes;
  }

  #finishTarget(item: WorkItem, entry: FileEntry): void {
    this.#target ??= this.#openTarget(item, entry);
    if (entry.kind === "prefix") this.#target.copyPrefix(entry.sizeBytes);
    if ((item.use & USE_LAST) === 0) this.#target.finishVersion(this.#versions);
    else this.#target.finish(this.#attributes(entry.attributes));
    this.#target = undefined;
  }

  #openTarget({ use, doneBytes }: WorkItem, entry: FileEntry): Target {
    const { tree } = this.#options;
    this.#stagePath(entry.path);
    const isFinal = (use & USE_LAST) !== 0;
    // What takes nothing from the file before is as right as its bytes, which were checked.
    const signature = isFinal && buildsOnPrevious(entry) ? entry.signature : undefined;
    const making: Making =
      isFinal && entry.kind === "snapshot"
        ? { at: "place", doneBytes }
        : { at: "newFile", newFile: newFile(this.#options.number) };
    const expected = { sizeBytes: entry.sizeBytes, signature };
    const output = new StagedFile(tree, entry.path, expected, making);
    if (entry.kind === "snapshot") return new Target(output, undefined);
    if (entry.kind === "rewrite") return new Target(output, Base.of(entry.path, NOTHING));
    if ((use & USE_FIRST) !== 0) return new Target(output, Base.open(tree, entry.path));
    const held = this.#versions.take(entry.path);
    if (held !== undefined) return new Target(output, Base.of(entry.path, held));
    const version = joinPaths(VERSIONS, entry.path);
    const base = Base.open(tree, version);
    return new Target(output, base, isFinal ? () => tree.unlink(version) : undefined);
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
      this.#versions.take(entry.path);
      this.#options.tree.unlink(joinPaths(STAGE, entry.path));
      this.#options.tree.unlink(joinPaths(VERSIONS, entry.path));
    }
  }

  #makeObject(path: TreePath, object: SpecialObject, attributes: Attributes): void {
    const { tree } = this.#options;
    const staged = this.#stagePath(path);
    switch (object.type) {
      case "directory":
        this.#makeDirectory(staged, attributes);
        return;
      case "symlink":
        tree.symlink(object.target, staged);
        tree.setAttributes(staged, this.#attributes(attributes));
        return;
      case "characterDevice":
      case "blockDevice":
        if (process.getuid?.() !== 0) {
          this.skipped.push(path);
          return;
        }
        break;
      case "fifo":
        break;
    }
    this.specials.push({ path: staged, object, attributes: this.#attributes(attributes) });
  }

  /** A directory that appears may be entered at once by whom it is for; its time is set when it is full. */
  #makeDirectory(staged: TreePath, attributes: Attributes): void {
    const { tree } = this.#options;
    const { mode: wanted, uid, gid } = this.#attributes(attributes);
    // What is staged in it shall not inherit its group.
    const mode = ((wanted ?? 0) & 0o777) | 0o700;
    const isMade = tree.ensureDirectory(staged, mode);
    if (isMade && uid === undefined && gid === undefined) return;
    tree.setAttributes(staged, isMade ? { uid, gid } : { mode, uid, gid });
  }

  #stagePath(path: TreePath): TreePath {
    const staged = joinPaths(STAGE, path);
    if (path !== "") this.#options.tree.ensureDirectory(parentPath(staged));
    return staged;
  }

  #attributes(attributes: Attributes): FileAttributes {
    const { mode, mtime } = attributes;
    const wanted = this.#options.ownerOf(attributes);
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
  /** Called when the base is not needed any more. */
  readonly #dropBase: () => void;
  #isPrefix = false;

  constructor(output: StagedFile, base: Base | undefined, dropBase = (): unknown => undefined) {
    this.#output = output;
    this.#base = base;
    this.#dropBase = dropBase;
    if (base !== undefined) this.#patch = new Patch(output, base);
  }

  push(bytes: Uint8Array): void {
    if (this.#patch === undefined) this.#output.write(bytes);
    else this.#patch.push(bytes);
  }

  get writtenBytes(): number {
    return this.#output.writtenBytes;
  }

  copyPrefix(sizeBytes: number): void {
    this.#isPrefix = true;
    this.#patch?.copy(0, sizeBytes);
  }

  finish(attributes: FileAttributes): void {
    this.#endPatch();
    this.#output.finish(attributes);
    this.#dropBase();
  }

  /** The result is not what the file will be in the end. */
  finishVersion(versions: HeldVersions): void {
    this.#endPatch();
    this.#output.finishVersion(versions);
  }

  abandon(): void {
    this.#base?.close();
    this.#output.abandon();
  }

  #endPatch(): void {
    if (!this.#isPrefix) this.#patch?.finish();
    this.#base?.close();
  }
}

const NOTHING = new Uint8Array(0);
function wrongSize(entry: FileEntry, sizeBytes: number): MirrorError {
  return new MirrorError(
    "DOCUMENT_INVALID",
    `contents give ${displayPath(entry.path)} ${entry.sizeBytes} bytes, its data has ${sizeBytes}`,
  );
}
