/**
 * A clock for waiting on others, in steps of `BEAT_MS`: while this process itself is busy it stands still, so that no
 * source is blamed for bytes that nobody took. It goes while somebody listens.
 */
export class Beat {
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #beats = 0;

  get nowMs(): number {
    return this.#beats * BEAT_MS;
  }

  /** Calls `onBeat` at every step, until the function that comes back is called. */
  listen(onBeat: () => void): () => void {
    this.#listeners.add(onBeat);
    this.#timer ??= setInterval(() => this.#beat(), BEAT_MS);
    return () => {
      this.#listeners.delete(onBeat);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #beat(): void {
    this.#beats++;
    for (const onBeat of [...this.#listeners]) onBeat();
  }
}

const BEAT_MS = 50;
