import type { Beat } from "./beat.js";
import type { WatchedRead } from "./watched-read.js";

/** A read, and what its asker knows of it. */
interface Running {
  readonly read: WatchedRead;
}

/** The reads that one purpose has under way; `end` must be called. */
export class UnderWay<R extends Running> {
  readonly #works = new Map<R, Promise<void>>();
  readonly #stopListening: () => void;
  #failure: { readonly error: unknown } | undefined;
  #hasChanged = false;
  #wake: () => void = () => undefined;

  constructor(beat: Beat) {
    this.#stopListening = beat.listen(() => this.#judge());
  }

  get reads(): readonly R[] {
    return [...this.#works.keys()];
  }

  /** `work` reads, and does with the bytes what there is to do; when it fails, `change` throws. */
  add(running: R, work: Promise<void>): void {
    const over = work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#works.delete(running);
        this.#change();
      });
    this.#works.set(running, over);
  }

  /** Resolves when a read is over, at the next beat while one is slow, and at once when either has been since the last call. */
  async change(): Promise<void> {
    if (!this.#hasChanged) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#hasChanged = false;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Gives up what is left, and waits for its end. */
  async end(): Promise<void> {
    this.#stopListening();
    for (const { read } of this.#works.keys()) read.giveUp();
    await Promise.all(this.#works.values());
  }

  #judge(): void {
    for (const { read } of this.#works.keys()) {
      read.judge();
      if (read.isSlow) this.#change();
    }
  }

  #change(): void {
    this.#hasChanged = true;
    this.#wake();
  }
}
