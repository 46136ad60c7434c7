/**
 * Files that were written so shortly before their backup, or while it ran, that a later write may have left the same
 * whole-second time: duplicity, which reads no file whose time is as it was, would miss that for ever
 * (duplicity-format 9). They are kept, durably, until a look at the tree finds them as they were recorded, or a later
 * set records them anew.
 */
import path from "node:path";
import { z } from "zod";
import { toBase64url } from "../bytes/digest.js";
import { type TreePath, toTreePath } from "../bytes/tree-path.js";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { formatSetName } from "../duplicity/names.js";
import type { SetId } from "../duplicity/set-id.js";
import { SUSPECTS_MAX } from "../limits.js";
import type { ContentsEntry, SignatureDigest } from "../manifest/contents.js";
import type { Log } from "../runtime.js";

/** A file as the set that recorded it last has it. */
export interface Suspect {
  readonly path: TreePath;
  readonly sizeBytes: number;
  readonly mtime: number;
  readonly signature: SignatureDigest;
  readonly set: string;
  /** What the file was when a look found another content than the set has; absent while none did. */
  readonly missedAs?: string | undefined;
}

/** What the entries of a set that is being encoded say. */
export interface SuspectNotes {
  note(entry: ContentsEntry): void;
  /** The set counts from now on. */
  adopt(): void;
}

export class Suspects {
  readonly #file: string;
  readonly #log: Log;
  #suspects: Map<TreePath, Suspect>;
  readonly #adopted = new Set<TreePath>();
  #isChanged = false;

  private constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
    this.#suspects = new Map(readSuspects(file, log).map((one) => [one.path, one]));
  }

  static open(stateDirectory: string, log: Log): Suspects {
    return new Suspects(path.join(stateDirectory, "suspects"), log);
  }

  get all(): readonly Suspect[] {
    return [...this.#suspects.values()];
  }

  /** Those of earlier cycles: who writes a file once more has had the time for it. */
  get due(): readonly Suspect[] {
    return this.all.filter((one) => !this.#adopted.has(one.path));
  }

  get missed(): readonly Suspect[] {
    return this.all.filter(({ missedAs }) => missedAs !== undefined);
  }

  notesOf(id: SetId): SuspectNotes {
    const set = formatSetName(id);
    const recorded: TreePath[] = [];
    let fresh: Suspect[] = [];
    return {
      note: (entry) => {
        if (this.#suspects.has(entry.path)) recorded.push(entry.path);
        const suspect = suspectOf(entry, { set, sinceTime: id.time - SLACK_SECONDS });
        if (suspect === undefined) return;
        fresh.push(suspect);
        if (fresh.length >= 2 * SUSPECTS_MAX) fresh = this.#bounded(fresh);
      },
      adopt: () => {
        // A full set has an entry for all that is there.
        if (id.kind === "full") this.#replaceAll([]);
        for (const one of recorded) this.settle(one);
        if (fresh.length > 0) this.#replaceAll(this.#bounded([...this.all, ...fresh]));
        for (const one of fresh) this.#adopted.add(one.path);
      },
    };
  }

  /** The file is what its set has, and can no longer become anything else unnoticed. */
  settle(path: TreePath): void {
    this.#isChanged = this.#suspects.delete(path) || this.#isChanged;
  }

  /** @param missedAs what the file is now, when its content is not what its set has */
  judge(suspect: Suspect, missedAs: string | undefined): void {
    if (suspect.missedAs === missedAs) return;
    this.#suspects.set(suspect.path, { ...suspect, missedAs });
    this.#isChanged = true;
  }

  /** Makes what was changed durable. */
  save(): void {
    if (!this.#isChanged) return;
    makeFolder(path.dirname(this.#file));
    replaceFile(this.#file, Buffer.from(`${JSON.stringify(toJson(this.all))}\n`));
    this.#isChanged = false;
  }

  #replaceAll(suspects: readonly Suspect[]): void {
    this.#suspects = new Map(suspects.map((one) => [one.path, one]));
    this.#isChanged = true;
  }

  /** The missed ones and the youngest of the others. */
  #bounded(suspects: Suspect[]): Suspect[] {
    if (suspects.length <= SUSPECTS_MAX) return suspects;
    const count = suspects.length - SUSPECTS_MAX;
    this.#log.warn("suspects.dropped", { count, reason: `${SUSPECTS_MAX} files are looked at` });
    const rank = ({ missedAs, mtime }: Suspect): number =>
      missedAs === undefined ? mtime : MISSED;
    return suspects.sort((a, b) => rank(b) - rank(a)).slice(0, SUSPECTS_MAX);
  }
}

/** Later than all times. */
const MISSED = Number.MAX_SAFE_INTEGER;

/**
 * A write in the second of its file's time can follow the backup's reading only if that second was not over when the
 * backup began; the rest is for a file server whose clock is not ours.
 */
const SLACK_SECONDS = 10;

function suspectOf(
  entry: ContentsEntry,
  { set, sinceTime }: { readonly set: string; readonly sinceTime: number },
): Suspect | undefined {
  if (entry.kind === "deleted" || entry.kind === "object") return undefined;
  const { path, sizeBytes, attributes, signature } = entry;
  if (signature === undefined || attributes.mtime < sinceTime) return undefined;
  return { path, sizeBytes, mtime: attributes.mtime, signature, set };
}

/** A damaged list costs the looks that it asked for, no more. */
function readSuspects(file: string, log: Log): Suspect[] {
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) return [];
  try {
    return listShape.parse(JSON.parse(Buffer.from(bytes).toString())).suspects;
  } catch (error) {
    log.warn("suspects.unreadable", { file, reason: String(error) });
    return [];
  }
}

function toJson(suspects: readonly Suspect[]): z.input<typeof listShape> {
  return {
    version: 1,
    suspects: suspects.map(({ signature: { blockLength, digest }, ...same }) => {
      return { ...same, signature: { blockLength, digest: toBase64url(digest) } };
    }),
  };
}

const listShape = z.strictObject({
  version: z.literal(1),
  suspects: z.array(
    z.strictObject({
      path: z.string().transform((text): TreePath => toTreePath(text)),
      sizeBytes: z.int().nonnegative(),
      mtime: z.int(),
      signature: z.strictObject({
        blockLength: z.int().positive(),
        digest: z.string().transform((text): Uint8Array => Buffer.from(text, "base64url")),
      }),
      set: z.string(),
      missedAs: z.string().optional(),
    }),
  ),
});
