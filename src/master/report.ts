/** What one cycle did. */
import type { Clock } from "../runtime.js";

export interface PublishReport {
  readonly mirror: string;
  readonly session: string | undefined;
  readonly generation: number;
  /** The newest set that the head names. */
  readonly newest: string | undefined;
  /** Whether a head was published, and what was new in it. */
  readonly published: "sets" | "settings" | "refresh" | "nothing";
  readonly sets: readonly SetReport[];
  /** Sets whose backup had errors; they wait for a later one without. */
  readonly withheld: readonly string[];
  /** Sets that somebody still writes; the next cycle looks again. */
  readonly waiting: readonly string[];
  /** Files that changed without duplicity seeing it, until they are mended. */
  readonly missed: readonly MissedFile[];
  readonly hosts: readonly HostReport[];
  readonly removed: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
}

export interface MissedFile {
  /** As people read it. */
  readonly path: string;
  /** The newest set that has the file; its content there is not what the tree has. */
  readonly set: string;
}

export interface SetReport {
  readonly name: string;
  /** Its entries are then not known, and not counted. */
  readonly isEncrypted: boolean;
  readonly entryCount: number;
  readonly volumeCount: number;
  readonly volumeBytes: number;
  /** Bytes of blocks, all shares together. */
  readonly storedBytes: number;
}

export interface HostReport {
  readonly name: string;
  readonly shares: readonly number[];
  /** `current`: holds all that the head names, and the head. */
  readonly state: "current" | "behind";
  readonly error: string | undefined;
  /** Milliseconds since the epoch; undefined while it is current. */
  readonly behindSince: number | undefined;
  /** Of the newest head that was put there. */
  readonly generation: number | undefined;
  /** What it lacks of the newest sets; undefined when nobody knows. */
  readonly missingBytes: number | undefined;
}

/** How long each phase of a cycle took. */
export class PhaseTimes {
  readonly #clock: Clock;
  readonly #seconds: Record<string, number> = {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async measure<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const start = this.#clock.monotonicMs();
    try {
      return await work();
    } finally {
      const seconds = (this.#clock.monotonicMs() - start) / 1000;
      this.#seconds[phase] = (this.#seconds[phase] ?? 0) + seconds;
    }
  }

  get seconds(): Readonly<Record<string, number>> {
    return this.#seconds;
  }
}
