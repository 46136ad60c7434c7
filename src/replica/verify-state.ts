/**
 * How far a verification is, so that one that was cut off goes on: in `verify.json` the marker, the counts and
 * the findings that are shown; in `verify-findings.jsonl` all findings, as repair needs them.
 */
import { z } from "zod";
import type { TreePath } from "../bytes/tree-path.js";
import { removeFile, replaceFile, syncFile, truncateFile, writeAt } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { FINDING_KINDS, type Finding, type FindingKind } from "./compare.js";
import type { StateFiles } from "./state-files.js";
import { pathShape, readNote, writeRecord } from "./state-record.js";

export interface VerifyProgress {
  readonly session: string;
  readonly filter: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  savedAt: number;
  /** The last path that was compared; before the first there is none. */
  marker: TreePath | undefined;
  entries: number;
  bytes: number;
  readonly counts: Record<FindingKind, number>;
  /** Paths with a finding. */
  damaged: number;
  /** The first FINDINGS_SHOWN_MAX. */
  readonly shown: Finding[];
  /** Size of the file of all findings. */
  findingsBytes: number;
}

/** Of any number of findings so many are told one by one; the counts are always exact. */
const FINDINGS_SHOWN_MAX = 1000;

/** What was compared longer ago is compared again. */
const PROGRESS_MAX_AGE_MS = 7 * 86_400_000;

function newProgress(of: {
  readonly session: string;
  readonly filter: string;
  readonly now: number;
}): VerifyProgress {
  return {
    session: of.session,
    filter: of.filter,
    startedAt: of.now,
    savedAt: of.now,
    marker: undefined,
    entries: 0,
    bytes: 0,
    counts: noCounts(),
    damaged: 0,
    shown: [],
    findingsBytes: 0,
  };
}

/** Keeps the progress of one verification on disk. */
export class VerifyState {
  readonly progress: VerifyProgress;
  readonly isResumed: boolean;
  readonly #files: StateFiles;
  #unsaved: Finding[] = [];
  #lastPath: TreePath | undefined;

  private constructor(files: StateFiles, progress: VerifyProgress, isResumed: boolean) {
    this.#files = files;
    this.progress = progress;
    this.isResumed = isResumed;
  }

  /** Goes on with what was cut off, when it was of the same part of the same mirror and not long ago. */
  static open(
    files: StateFiles,
    of: { readonly session: string; readonly filter: string; readonly now: number },
  ): VerifyState {
    const known = readProgress(files);
    const isUsable =
      known?.session === of.session &&
      known.filter === of.filter &&
      of.now - known.savedAt <= PROGRESS_MAX_AGE_MS;
    if (!isUsable) return new VerifyState(files, newProgress(of), false);
    return new VerifyState(files, known, true);
  }

  add(finding: Finding): void {
    const { progress } = this;
    progress.counts[finding.kind]++;
    if (finding.path !== this.#lastPath) progress.damaged++;
    this.#lastPath = finding.path;
    if (progress.shown.length < FINDINGS_SHOWN_MAX) progress.shown.push(finding);
    this.#unsaved.push(finding);
  }

  save(now: number): void {
    const { progress } = this;
    progress.savedAt = now;
    if (this.#unsaved.length > 0) this.#saveFindings(this.#unsaved.splice(0));
    writeRecord(this.#files.verify, progress);
  }

  /** All findings so far. */
  findings(): Finding[] {
    const bytes = readFileIfPresent(this.#files.verifyFindings) ?? new Uint8Array(0);
    const saved = new TextDecoder().decode(bytes.subarray(0, this.progress.findingsBytes));
    const lines = saved.split("\n").filter((line) => line !== "");
    return [...lines.map((line) => findingShape.parse(JSON.parse(line))), ...this.#unsaved];
  }

  #saveFindings(findings: readonly Finding[]): void {
    const { progress } = this;
    const file = this.#files.verifyFindings;
    const bytes = encode(findings.map((finding) => `${JSON.stringify(finding)}\n`).join(""));
    if (progress.findingsBytes === 0) {
      replaceFile(file, bytes);
    } else {
      // What a run that was cut off wrote beyond what it told of is written again.
      truncateFile(file, progress.findingsBytes);
      writeAt(file, progress.findingsBytes, bytes);
      syncFile(file);
    }
    progress.findingsBytes += bytes.length;
  }
}

/** The next verification begins anew. */
export function forgetVerify({ verify, verifyFindings }: StateFiles): void {
  removeFile(verify);
  removeFile(verifyFindings);
}

function noCounts(): Record<FindingKind, number> {
  return {
    missing: 0,
    extra: 0,
    type: 0,
    content: 0,
    unreadable: 0,
    target: 0,
    mode: 0,
    owner: 0,
    mtime: 0,
  };
}

const findingShape = z.strictObject({ path: pathShape, kind: z.enum(FINDING_KINDS) });

const progressShape = z.strictObject({
  session: z.string(),
  filter: z.string(),
  startedAt: z.number(),
  savedAt: z.number(),
  marker: pathShape.optional().transform((path) => path),
  entries: z.int(),
  bytes: z.int(),
  counts: z.record(z.enum(FINDING_KINDS), z.int()),
  damaged: z.int(),
  shown: z.array(findingShape),
  findingsBytes: z.int(),
});

/** Undefined, too, where what is stored is no progress: then a verification begins anew. */
export function readProgress({ verify }: StateFiles): VerifyProgress | undefined {
  return readNote(verify, progressShape);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
