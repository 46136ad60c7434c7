/** How the last cycle ended, for `status`; nothing else depends on it. */

import path from "node:path";
import { parseJson } from "../bytes/json.js";
import { makeFolder, replaceFile } from "../disk/durable.js";
import { readFileIfPresent } from "../disk/files.js";
import { isMirrorError } from "../errors.js";
import type { MissedFile, PublishReport } from "./report.js";

export interface CycleRecord {
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
  /** Why it failed; undefined when it did not. */
  readonly error: string | undefined;
  readonly withheld: readonly string[];
  readonly waiting: readonly string[];
  readonly missed: readonly MissedFile[];
}

/** A report, or why there is none. */
export interface CycleEnd {
  readonly endedAt: number;
  readonly report?: PublishReport;
  readonly error?: unknown;
}

export function writeCycleRecord(stateDirectory: string, ended: CycleEnd): void {
  const { endedAt, report, error } = ended;
  const record: CycleRecord = {
    endedAt,
    error: error === undefined ? undefined : describe(error),
    withheld: report?.withheld ?? [],
    waiting: report?.waiting ?? [],
    // A cycle that failed did not look.
    missed: report?.missed ?? readCycleRecord(stateDirectory)?.missed ?? [],
  };
  makeFolder(stateDirectory);
  replaceFile(recordPath(stateDirectory), Buffer.from(`${JSON.stringify(record)}\n`));
}

/** Undefined, too, where what is stored is no record: the next cycle stores another. */
export function readCycleRecord(stateDirectory: string): CycleRecord | undefined {
  const bytes = readFileIfPresent(recordPath(stateDirectory));
  if (bytes === undefined) return undefined;
  const record = parseJson(Buffer.from(bytes).toString());
  if (!isRecord(record) || typeof record["endedAt"] !== "number") return undefined;
  const { endedAt, error, withheld, waiting, missed } = record;
  return {
    endedAt,
    error: typeof error === "string" ? error : undefined,
    withheld: toTexts(withheld),
    waiting: toTexts(waiting),
    missed: Array.isArray(missed) ? missed.flatMap(toMissedFile) : [],
  };
}

function describe(error: unknown): string {
  if (isMirrorError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function toMissedFile(value: unknown): MissedFile[] {
  if (!isRecord(value)) return [];
  const { path, set } = value;
  return typeof path === "string" && typeof set === "string" ? [{ path, set }] : [];
}

function toTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function recordPath(stateDirectory: string): string {
  return path.join(stateDirectory, "last-cycle");
}
