import type { MasterMirror } from "../config/master.js";
import { openControlSocket } from "../daemon/control-socket.js";
import { lockState, type StateLock } from "../daemon/lock.js";
import type { Metrics } from "../daemon/metrics.js";
import { startSchedule } from "../daemon/schedule.js";
import { SingleFlight } from "../daemon/single-flight.js";
import { isMirrorError, type MirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import { runCycle } from "./cycle.js";
import { OWN_FOLDER } from "./guard.js";
import { readHostStates } from "./host-states.js";
import { refreshAt } from "./next-head.js";
import type { PublishReport } from "./report.js";
import { masterStatus } from "./status.js";
import { watchFolder } from "./watch.js";

export interface MirrorDaemonOptions {
  readonly config: MasterMirror;
  readonly runtime: Runtime;
  readonly metrics: Metrics;
  /** Stops the whole process in good order. */
  readonly stop: () => void;
  /** Called after a cycle that published a head. */
  readonly onPublished: () => void;
  /** Called with a failure that is ours, not the world's. */
  readonly onBroken: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** One mirror of a master that runs: cycles by schedule, by changes, on request, and before the head grows old. */
export class MirrorDaemon {
  readonly #options: MirrorDaemonOptions;
  readonly #lock: StateLock;
  readonly #flight = new SingleFlight(() => this.#cycle());
  readonly #manifestHashes = new Map<string, string>();
  #isBackupDue = false;
  /** When a backup that failed is tried again, should nothing ask for one before. */
  #retryBackupAtMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: MirrorDaemonOptions, lock: StateLock) {
    this.#options = options;
    this.#lock = lock;
  }

  /** @throws MirrorError LOCKED */
  static async start(options: MirrorDaemonOptions): Promise<MirrorDaemon> {
    const { config, signal } = options;
    const lock = await lockState(config.stateDirectory, { signal });
    const daemon = new MirrorDaemon(options, lock);
    try {
      await daemon.#listen();
      return daemon;
    } catch (error) {
      await daemon.end();
      throw error;
    }
  }

  /** Call it when `signal` has aborted: waits for the cycle under way, and gives the lock back. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flight.idle();
    clearTimeout(this.#timer);
    this.#lock.release();
  }

  /** One line for people. */
  describe(): string {
    const { head, lastCycle } = masterStatus(this.#options.config);
    const published =
      head === undefined ? "nothing published" : `${head.newest}, generation ${head.generation}`;
    const failed = lastCycle?.error === undefined ? "" : `; last cycle failed: ${lastCycle.error}`;
    return `${this.#options.config.name}: ${published}${failed}`;
  }

  async #listen(): Promise<void> {
    const { config, runtime, signal } = this.#options;
    await openControlSocket({
      directory: config.stateDirectory,
      handlers: {
        trigger: () => this.#trigger(),
        status: () => Promise.resolve(masterStatus(config)),
        stop: () => {
          this.#options.stop();
          return Promise.resolve(undefined);
        },
      },
      signal,
    });
    if (config.schedule !== undefined) {
      const run = (): void => this.#request({ isBackupDue: true });
      startSchedule({ pattern: config.schedule, run, log: runtime.log, signal });
    }
    if (config.watch) {
      watchFolder({
        folder: config.duplicity.engine === "run" ? config.tree : config.repository,
        except: OWN_FOLDER,
        delayMs: config.watchDelayMs,
        onChange: () => this.#request({ isBackupDue: true }),
        log: runtime.log,
        signal,
      });
    }
    // Changes made while nobody watched are unknown; a schedule will come to them.
    this.#request({ isBackupDue: config.watch || masterStatus(config).head === undefined });
  }

  #request({ isBackupDue }: { readonly isBackupDue: boolean }): void {
    if (this.#options.signal.aborted) return;
    this.#isBackupDue ||= isBackupDue;
    this.#flight.request().catch((error: unknown) => this.#options.onBroken(error));
  }

  async #trigger(): Promise<PublishReport> {
    this.#isBackupDue = true;
    const result = await this.#flight.request();
    if (result.kind === "failed") throw result.error;
    return result.report;
  }

  async #cycle(): Promise<CycleResult> {
    const { config, runtime, signal } = this.#options;
    clearTimeout(this.#timer);
    const isBackupDue = this.#isBackupDue;
    this.#isBackupDue = false;
    const start = runtime.clock.monotonicMs();
    if (isBackupDue) this.#retryBackupAtMs = Number.POSITIVE_INFINITY;
    try {
      const manifestHashes = this.#manifestHashes;
      const report = await runCycle({ config, runtime, signal, isBackupDue, manifestHashes });
      this.#tellSuccess(report, runtime.clock.monotonicMs() - start);
      return { kind: "done", report };
    } catch (error) {
      if (!isMirrorError(error)) throw error;
      if (isBackupDue) this.#retryBackupAtMs = start + RETRY_BACKUP_MS;
      this.#tellFailure(error);
      return { kind: "failed", error };
    }
  }

  #tellSuccess(report: PublishReport, elapsedMs: number): void {
    const { config, runtime, metrics, onPublished } = this.#options;
    const { published, generation, newest, sets, waiting } = report;
    const mirror = config.name;
    const bytes = sets.reduce((sum, set) => sum + set.storedBytes, 0);
    const outcome = published === "nothing" ? "unchanged" : "published";
    metrics.add("dupmirror_master_cycles_total", { mirror, outcome });
    metrics.add("dupmirror_master_published_sets_total", { mirror }, sets.length);
    metrics.add("dupmirror_master_published_bytes_total", { mirror }, bytes);
    metrics.set("dupmirror_master_cycle_seconds", { mirror }, elapsedMs / 1000);
    metrics.set("dupmirror_master_missed_files", { mirror }, report.missed.length);
    this.#tellHead();
    this.#tellHosts();
    const fields = {
      mirror,
      generation,
      newest,
      sets: sets.length,
      bytes,
      seconds: elapsedMs / 1000,
    };
    if (outcome === "published") {
      runtime.log.info("cycle.published", fields);
      onPublished();
    } else {
      runtime.log.debug("cycle.unchanged", fields);
    }
    const isOwed = waiting.length > 0 || report.hosts.some(({ state }) => state === "behind");
    this.#wakeLater(isOwed ? RETRY_MS : MAX_WAIT_MS);
  }

  #tellFailure(error: MirrorError): void {
    const { config, runtime, metrics, signal } = this.#options;
    if (signal.aborted) return;
    metrics.add("dupmirror_master_cycles_total", { mirror: config.name, outcome: "failed" });
    const { code, message } = error;
    runtime.log.error("cycle.failed", { mirror: config.name, code, message });
    this.#tellHead();
    this.#tellHosts();
    this.#wakeLater(RETRY_MS);
  }

  #tellHead(): void {
    const { config, metrics } = this.#options;
    const { head } = masterStatus(config);
    if (head === undefined) return;
    const labels = { mirror: config.name };
    metrics.set("dupmirror_master_generation", labels, head.generation);
    metrics.set("dupmirror_master_published_timestamp_seconds", labels, head.publishedAt / 1000);
    metrics.set("dupmirror_master_expires_timestamp_seconds", labels, head.expiresAt / 1000);
  }

  #tellHosts(): void {
    const { config, metrics } = this.#options;
    for (const { name, state, behindSince, generation, missingBytes } of readHostStates(config)) {
      const labels = { mirror: config.name, host: name };
      const sinceSeconds = (behindSince ?? 0) / 1000;
      metrics.set("dupmirror_master_host_behind", labels, state === "behind" ? 1 : 0);
      metrics.set("dupmirror_master_host_behind_timestamp_seconds", labels, sinceSeconds);
      metrics.set("dupmirror_master_host_generation", labels, generation ?? 0);
      metrics.set("dupmirror_master_host_missing_bytes", labels, missingBytes ?? 0);
    }
  }

  /** A cycle without a backup: refreshes the head, catches up hosts, removes what is due. */
  #wakeLater(maxWaitMs: number): void {
    const { config, runtime, signal } = this.#options;
    if (signal.aborted) return;
    const { head } = masterStatus(config);
    const untilRefreshMs = head === undefined ? maxWaitMs : refreshAt(head) - runtime.clock.now();
    const waitMs = Math.min(maxWaitMs, Math.max(MIN_WAIT_MS, untilRefreshMs));
    this.#timer = setTimeout(() => {
      this.#request({ isBackupDue: runtime.clock.monotonicMs() >= this.#retryBackupAtMs });
    }, waitMs);
  }
}

type CycleResult =
  | { readonly kind: "done"; readonly report: PublishReport }
  | { readonly kind: "failed"; readonly error: MirrorError };

/** For hosts that did not answer, sets that were still being written, and failures that may pass. */
const RETRY_MS = 30_000;

/** In between, cycles without a backup keep the head fresh. */
const RETRY_BACKUP_MS = 10 * 60_000;

/** Files whose grace time is over are not removed later than this after it. */
const MAX_WAIT_MS = 60 * 60_000;

const MIN_WAIT_MS = 1000;
