/** Waiting requests for a head, answered as soon as it changes. */
import type { Located } from "./served-path.js";

interface Waiter {
  readonly file: Located;
  readonly etag: string;
  readonly resolve: () => void;
}

/** Replicas of a mirror at rest; more are answered at once and poll. */
const WAITERS_MAX = 10_000;

/** How late a change that nobody told us of is noticed; one stat a head. */
const LOOK_EVERY_MS = 250;

export class HeadWatch {
  readonly #waiters = new Set<Waiter>();
  readonly #identify: (file: Located) => string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `identify` gives the present ETag of a file. */
  constructor(identify: (file: Located) => string | undefined) {
    this.#identify = identify;
  }

  /** Resolves when the file's ETag is no longer `etag`, after `timeoutMs`, or when `signal` aborts. */
  async wait(
    file: Located,
    etag: string,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    if (this.#waiters.size >= WAITERS_MAX || options.signal.aborted) return;
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS);
    await new Promise<void>((resolve) => {
      const waiter: Waiter = { file, etag, resolve: () => finish() };
      const timer = setTimeout(() => finish(), options.timeoutMs);
      const finish = (): void => {
        clearTimeout(timer);
        options.signal.removeEventListener("abort", finish);
        this.#forget(waiter);
        resolve();
      };
      options.signal.addEventListener("abort", finish, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** Looks now instead of at the next turn. */
  look(): void {
    const etags = new Map<string, string | undefined>();
    for (const waiter of [...this.#waiters]) {
      const { path } = waiter.file;
      if (!etags.has(path)) etags.set(path, this.#identify(waiter.file));
      if (etags.get(path) !== waiter.etag) waiter.resolve();
    }
  }

  #forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
