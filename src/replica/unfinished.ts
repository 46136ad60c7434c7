/**
 * The record beside a stage: what a build is for, and how far it is. A build that is cut off leaves both, and the next
 * cycle goes on with them (reuse.ts). Never synced: after a loss of power staged files are read before they count.
 */
import { z } from "zod";
import { parseJson } from "../bytes/json.js";
import { childPath } from "../bytes/tree-path.js";
import { ConfinedTree } from "../disk/confined.js";
import { closeFile, overwriteStart } from "../disk/file-io.js";
import { formatSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { isMirrorError } from "../errors.js";
import type { Clock } from "../runtime.js";
import { setNameShape } from "./position.js";
import { hasStage, RECORD, WORK } from "./staging.js";

export interface UnfinishedBuild {
  readonly session: string;
  readonly chain: number;
  /** The set that the tree shall be brought to. */
  readonly set: SetId;
  readonly manifestHash: string;
  /** Only a sync is gone on with once other sets are published. */
  readonly purpose: "sync" | "rollback" | "repair";
  /** Which start of the machine; undefined where that cannot be known. */
  readonly boot: string | undefined;
  readonly stagedBytes: number;
  readonly totalBytes: number;
}

/** A build as the record that lies beside its stage tells it. */
export interface FoundBuild extends UnfinishedBuild {
  /** By the clock of the file system, milliseconds: what changed in the stage later, the record does not know. */
  readonly untilMs: number;
}

/** What a build that was cut off left; nothing when the stage is not ours, or nobody knows what it is for. */
export function findUnfinished(tree: ConfinedTree): FoundBuild | undefined {
  const stat = hasStage(tree) ? tree.lstat(RECORD) : undefined;
  if (stat?.isFile() !== true) return undefined;
  const { data } = recordShape.safeParse(parseJson(tree.readSmallFile(RECORD) ?? ""));
  return data === undefined ? undefined : { ...data, boot: data.boot, untilMs: stat.mtimeMs };
}

/** As `findUnfinished`, for those who only look: nothing, too, when there is no tree, or they may not look there. */
export function peekUnfinished(root: string): FoundBuild | undefined {
  let tree: ConfinedTree | undefined;
  try {
    tree = ConfinedTree.open(root);
    return findUnfinished(tree);
  } catch (error) {
    if (isMirrorError(error)) return undefined;
    throw error;
  } finally {
    tree?.close();
  }
}

/** Keeps the record of the build that is under way. */
export class BuildRecord {
  readonly #build: UnfinishedBuild;
  readonly #clock: Clock;
  readonly #descriptor: number;
  #stagedBytes: number;
  #writtenMs: number;

  /** The stage holds what `build` says, and nothing that is not right. */
  constructor(tree: ConfinedTree, build: UnfinishedBuild, clock: Clock) {
    this.#build = build;
    this.#clock = clock;
    this.#stagedBytes = build.stagedBytes;
    this.#writtenMs = clock.monotonicMs();
    tree.unlink(NEW_RECORD);
    this.#descriptor = tree.createFile(NEW_RECORD);
    this.#write();
    tree.rename(NEW_RECORD, RECORD);
  }

  /** So much is staged by now; written down some times a second. */
  mark(stagedBytes: number): void {
    this.#stagedBytes = stagedBytes;
    if (this.#clock.monotonicMs() - this.#writtenMs >= WRITE_EVERY_MS) this.#write();
  }

  /** Nothing changes in the stage any more. */
  close(): void {
    try {
      this.#write();
    } finally {
      closeFile(this.#descriptor);
    }
  }

  #write(): void {
    this.#writtenMs = this.#clock.monotonicMs();
    const { set, ...build } = this.#build;
    const stagedBytes = this.#stagedBytes;
    const json = { version: 1, ...build, set: formatSetName(set), stagedBytes };
    const text = JSON.stringify(json).padEnd(RECORD_BYTES);
    overwriteStart(this.#descriptor, new TextEncoder().encode(text));
  }
}

const WRITE_EVERY_MS = 250;
/** Of one size, so that it is written over in one step. */
const RECORD_BYTES = 512;
const NEW_RECORD = childPath(WORK, "build-new");

const recordShape = z.strictObject({
  version: z.literal(1),
  session: z.string(),
  chain: z.int().nonnegative(),
  set: setNameShape,
  manifestHash: z.string(),
  purpose: z.enum(["sync", "rollback", "repair"]),
  boot: z.string().optional(),
  stagedBytes: z.int().nonnegative(),
  totalBytes: z.int().nonnegative(),
});
