/** Verifies a tree on a schedule, in slices between the cycles of a daemon. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ReplicaMirror } from "../config/replica.js";
import { startSchedule } from "../daemon/schedule.js";
import { type ErrorCode, isMirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import type { Rests } from "../store/resting-source.js";
import { writeLastVerify } from "./last-verify.js";
import { SliceGate } from "./slice-gate.js";
import { type StateFiles, stateFiles } from "./state-files.js";
import { runVerify } from "./verify.js";
import { isTreeRight, type VerifyReport } from "./verify-report.js";
import { forgetVerify, readProgress } from "./verify-state.js";

export interface ScheduledVerifyOptions {
  readonly mirror: ReplicaMirror;
  readonly runtime: Runtime;
  /** Whether files are read in a thread of its own, at idle priority. */
  readonly isIdle: boolean;
  /** What sources asked for, of the cycles too. */
  readonly rests: Rests;
  readonly signal: AbortSignal;
}

export class ScheduledVerify {
  readonly #options: ScheduledVerifyOptions;
  readonly #files: StateFiles;
  readonly #gate = new SliceGate();
  readonly #ended = new AbortController();
  #isDue = false;
  #task: Promise<void> | undefined;

  constructor(options: ScheduledVerifyOptions) {
    this.#options = options;
    this.#files = stateFiles(options.mirror.stateDirectory);
  }

  /** Whether there is something to do. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** Obeys the schedule, when the config has one, and goes on with what was cut off. */
  start(): void {
    const { mirror, runtime, signal } = this.#options;
    const { schedule } = mirror.verify;
    if (schedule === undefined) return;
    this.#isDue = readProgress(this.#files) !== undefined;
    startSchedule({ pattern: schedule, run: () => this.request(), log: runtime.log, signal });
  }

  /** Asks for a verification; one that is under way is enough. */
  request(): void {
    this.#isDue = true;
  }

  /**
   * Verifies until that is over, but no longer than `forMs`, and not after `signal` aborts; then all stands still.
   * Returns whether it goes on from there.
   */
  async slice(forMs: number, signal: AbortSignal): Promise<boolean> {
    this.#task ??= this.#begin();
    const over = new AbortController();
    const isOver = AbortSignal.any([signal, over.signal]);
    const time = sleep(forMs, undefined, { signal: isOver }).catch(() => undefined);
    const task = this.#task.finally(() => over.abort());
    task.catch(() => undefined);
    this.#gate.open();
    await time;
    await this.#gate.close();
    if (!over.signal.aborted) return true;
    this.#task = undefined;
    await task;
    return false;
  }

  /** Cuts off what is under way; the next process goes on with it. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#task;
  }

  #begin(): Promise<void> {
    const task = this.#verify();
    task.catch(() => undefined);
    return task;
  }

  async #verify(): Promise<void> {
    const { mirror: config, runtime, isIdle, rests } = this.#options;
    const { repair } = config.verify;
    const signal = AbortSignal.any([this.#options.signal, this.#ended.signal]);
    const slicing = { signal, gate: this.#gate, isBeside: true };
    try {
      tell(runtime, await runVerify({ config, runtime, repair, isIdle, rests, ...slicing }));
      this.#isDue = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isMirrorError(error)) throw error;
      this.#fail(error.code, error.message);
    }
  }

  /** Where another time will help, the next slice tries again; else the schedule says when. */
  #fail(code: ErrorCode, reason: string): void {
    const { mirror, runtime } = this.#options;
    runtime.log.error("verify.failed", { mirror: mirror.name, code, reason });
    writeLastVerify(this.#files, {
      at: runtime.clock.now(),
      outcome: { kind: "failed", code, reason },
    });
    if (TRANSIENT.has(code)) return;
    this.#isDue = false;
    forgetVerify(this.#files);
  }
}

const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  "NO_SOURCE",
  "SHARES_TOO_FEW",
  "SOURCE_UNREACHABLE",
  "SOURCE_TIMEOUT",
  "SOURCE_SHORT",
  "SOURCE_MISSING",
]);

/** So many findings are told one by one. */
const FINDINGS_LOGGED_MAX = 20;

function tell({ log }: Runtime, report: VerifyReport): void {
  const { mirror, set, checked, damaged, findings, repaired } = report;
  for (const { kind, path } of findings.slice(0, FINDINGS_LOGGED_MAX)) {
    log.warn("verify.finding", { mirror, kind, path });
  }
  const facts = { mirror, set, ...checked, damaged };
  if (damaged === 0) log.info("verify.done", facts);
  else if (isTreeRight(report)) log.warn("verify.mended", { ...facts, ...repaired });
  else log.error("verify.damaged", facts);
}
