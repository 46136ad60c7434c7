/** The daemon: every mirror is followed at its own pace until it is told to stop. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ReplicaMirror } from "../config/replica.js";
import { openControlSocket } from "../daemon/control-socket.js";
import { lockState } from "../daemon/lock.js";
import { isMirrorError } from "../errors.js";
import type { LogFields, Runtime } from "../runtime.js";
import { Rests } from "../store/resting-source.js";
import { runCycle } from "./cycle.js";
import type { HoldReport } from "./hold.js";
import type { SyncReport } from "./report.js";
import { ScheduledVerify } from "./scheduled-verify.js";
import { type LastCycle, writeLastCycle } from "./status.js";

export interface RunOptions {
  readonly mirrors: readonly ReplicaMirror[];
  readonly runtime: Runtime;
  /** Called once every mirror is ours and begins to be followed. */
  readonly ready: () => void;
  /** Asked for by `stop` over the control socket. */
  readonly stop: () => void;
  readonly signal: AbortSignal;
}

/** Resolves when `signal` aborts and every cycle has come to an orderly end. */
export async function runReplica(options: RunOptions): Promise<void> {
  let idle = options.mirrors.length;
  const begun = (): void => {
    idle--;
    if (idle === 0) options.ready();
  };
  await Promise.all(options.mirrors.map((mirror) => new Follower(mirror, options).run(begun)));
}

/** Follows one mirror: a cycle, a pause, a cycle. A cycle that fails is told and tried again. */
class Follower {
  readonly #mirror: ReplicaMirror;
  readonly #options: RunOptions;
  readonly #rests = new Rests();
  #last: LastCycle | undefined;
  #toldHold: string | undefined;
  #wake = new AbortController();
  readonly #verify: ScheduledVerify;

  constructor(mirror: ReplicaMirror, options: RunOptions) {
    const { runtime, signal } = options;
    this.#mirror = mirror;
    this.#options = options;
    this.#verify = new ScheduledVerify({
      mirror,
      runtime,
      signal,
      isIdle: true,
      rests: this.#rests,
    });
  }

  /** @throws MirrorError LOCKED while another process works on this mirror */
  async run(begun: () => void): Promise<void> {
    const { signal } = this.#options;
    const lock = await lockState(this.#mirror.stateDirectory, { signal });
    try {
      await this.#listen();
      this.#verify.start();
      begun();
      await this.#follow();
    } finally {
      await this.#verify.end();
      lock.release();
    }
  }

  async #follow(): Promise<void> {
    const { signal, runtime } = this.#options;
    for (let waitMs = 0; !signal.aborted; waitMs = this.#mirror.poll.everyMs) {
      const startMs = runtime.clock.monotonicMs();
      await this.#cycle(waitMs);
      await this.#pause(runtime.clock.monotonicMs() - startMs);
    }
  }

  async #cycle(waitMs: number): Promise<void> {
    const { runtime, signal } = this.#options;
    const { name } = this.#mirror;
    const waitMaxMs = this.#verify.isDue ? 0 : LONG_POLL_MAX_MS;
    const wait = { forMs: Math.min(waitMs, waitMaxMs), wake: this.#wake.signal };
    try {
      const rests = this.#rests;
      const report = await runCycle({ config: this.#mirror, runtime, signal, wait, rests });
      if (report.strategy !== "none") runtime.log.info("cycle.done", describe(report));
      this.#tellHold(report.held);
      this.#remember({ kind: "done", strategy: report.strategy });
    } catch (error) {
      if (signal.aborted) return;
      if (!isMirrorError(error)) throw error;
      runtime.log.error("cycle.failed", { mirror: name, code: error.code, reason: error.message });
      this.#remember({ kind: "failed", code: error.code, reason: error.message });
    }
  }

  /** Until the next poll is due, which the time that a source held back its answer counts for; or to verify. */
  async #pause(spentMs: number): Promise<void> {
    const { everyMs, jitter } = this.#mirror.poll;
    const { random } = this.#options.runtime;
    const dueMs = everyMs * (1 + jitter * (2 * random() - 1)) - spentMs;
    const signal = AbortSignal.any([this.#options.signal, this.#wake.signal]);
    const verifiedMs = await this.#verifyFor(dueMs, signal);
    await sleep(Math.max(dueMs - verifiedMs, 0), undefined, { signal }).catch(() => undefined);
    this.#wake = new AbortController();
  }

  /** When it is new, or the publication has dropped what is held. */
  #tellHold(held: HoldReport | undefined): void {
    const told = JSON.stringify(held);
    if (held !== undefined && told !== this.#toldHold) {
      const advice = "`dupmirror replica rollback --to newest` lets the tree follow again";
      this.#options.runtime.log.warn("tree.held", { mirror: this.#mirror.name, ...held, advice });
    }
    this.#toldHold = told;
  }

  /** A slice of a verification that is due. Returns the time that it took; of one that goes on, all there is. */
  async #verifyFor(dueMs: number, signal: AbortSignal): Promise<number> {
    if (!this.#verify.isDue) return 0;
    const { clock } = this.#options.runtime;
    const startMs = clock.monotonicMs();
    const sliceMs = Math.min(Math.max(dueMs, SLICE_MIN_MS), SLICE_MAX_MS);
    const goesOn = await this.#verify.slice(sliceMs, signal);
    return goesOn ? dueMs : clock.monotonicMs() - startMs;
  }

  #remember(outcome: LastCycle["outcome"]): void {
    this.#last = { at: this.#options.runtime.clock.now(), outcome };
    writeLastCycle(this.#mirror.stateDirectory, this.#last);
  }

  async #listen(): Promise<void> {
    const { signal, stop } = this.#options;
    await openControlSocket({
      directory: this.#mirror.stateDirectory,
      handlers: {
        trigger: answer(() => this.#wake.abort()),
        status: answer(() => this.#last),
        stop: answer(stop),
      },
      signal,
    });
  }
}

function answer(act: () => unknown): () => Promise<unknown> {
  return () => Promise.resolve().then(act);
}

/** Following waits for a verification no longer than this, but for the mending of what was found. */
const SLICE_MAX_MS = 30_000;
const SLICE_MIN_MS = 1000;

/** Proxies and servers close what is silent for longer. */
const LONG_POLL_MAX_MS = 55_000;

function describe(report: SyncReport): LogFields {
  const { mirror, strategy, generation, positionAfter, files, bytes, requests } = report;
  return {
    mirror,
    strategy,
    generation,
    set: positionAfter?.set,
    ...files,
    bytes: bytes["total"],
    requests: requests["total"],
  };
}
