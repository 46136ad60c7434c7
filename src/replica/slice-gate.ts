/**
 * Cuts long work into slices: it goes on while the gate is open. What must not be interrupted, or must not happen
 * beside other work on the tree, is done in `hold`.
 */
export interface GateWatcher {
  opened(): void;
  /** All that can be stopped at once is to be stopped. */
  closed(): void;
}

export class SliceGate {
  #isOpen = false;
  #holds = 0;
  #watcher: GateWatcher | undefined;
  readonly #waiting: (() => void)[] = [];

  /** For work that is not cut at all. */
  static opened(): SliceGate {
    const gate = new SliceGate();
    gate.open();
    return gate;
  }

  open(): void {
    this.#isOpen = true;
    this.#watcher?.opened();
    this.#wake();
  }

  /** Resolves when nothing is held. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#watcher?.closed();
    while (this.#holds > 0) await this.#change();
  }

  watch(watcher: GateWatcher | undefined): void {
    this.#watcher = watcher;
    if (!this.#isOpen) watcher?.closed();
  }

  /** Waits for the gate to be open, and keeps it from closing until `work` is done. */
  async hold<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!this.#isOpen && !signal.aborted) await this.#change();
    } finally {
      signal.removeEventListener("abort", wake);
    }
    signal.throwIfAborted();
    this.#holds++;
    try {
      return await work();
    } finally {
      this.#holds--;
      this.#wake();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
