/**
 * Hands items from one task to another, a few at a time: `send` waits for room, the reader waits for items.
 * One writer, one reader.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #end: { readonly error?: Error } | undefined;
  #isAbandoned = false;
  #wake: (() => void) | undefined;

  /** Waits until there is room. What is sent when the reader has gone away, or after the end, is dropped. */
  async send(item: T): Promise<void> {
    while (this.#items.length >= ROOM && !this.#isOver()) await this.#change();
    if (this.#isOver()) return;
    this.#items.push(item);
    this.#signal();
  }

  /** No more items follow. */
  close(): void {
    this.#finish({});
  }

  /** The reader gets `error` after the items that it did not yet read. */
  fail(error: Error): void {
    this.#finish({ error });
  }

  /** For the reader: it wants no more items. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#items.length = 0;
    this.#signal();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#signal();
          yield item;
          continue;
        }
        if (this.#end?.error !== undefined) throw this.#end.error;
        if (this.#isOver()) return;
        await this.#change();
      }
    } finally {
      this.abandon();
    }
  }

  /** The first end counts. */
  #finish(end: { readonly error?: Error }): void {
    this.#end ??= end;
    this.#signal();
  }

  #isOver(): boolean {
    return this.#isAbandoned || this.#end !== undefined;
  }

  /** Writer and reader never wait at the same time: one waits for room, the other for items. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** Enough that neither side waits for the other at every item. */
const ROOM = 4;
