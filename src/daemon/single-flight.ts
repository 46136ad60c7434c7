/** Lets requests merge: while one run works, at most one more is owed. */
export class SingleFlight<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<T> | undefined;
  #owed: Promise<T> | undefined;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  /** The result of a run that began after this call. */
  async request(): Promise<T> {
    if (this.#running === undefined) return this.#start();
    this.#owed ??= this.#after(this.#running);
    return this.#owed;
  }

  /** Resolves when nothing runs and nothing is owed; never rejects. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await Promise.allSettled([this.#owed ?? this.#running]);
  }

  async #after(running: Promise<T>): Promise<T> {
    await Promise.allSettled([running]);
    this.#owed = undefined;
    return this.#start();
  }

  async #start(): Promise<T> {
    const running = this.#work();
    this.#running = running;
    try {
      return await running;
    } finally {
      if (this.#running === running) this.#running = undefined;
    }
  }
}
