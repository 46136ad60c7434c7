/**
 * Large buffers that are used again. As garbage they lie outside of V8's heap, where they pile up faster than they are
 * collected, and scatter the memory of the C library.
 */
export class BufferPool {
  readonly #sizeBytes: number;
  readonly #free: Uint8Array[] = [];

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** What is in the buffer is whatever its last user left there. */
  take(): Uint8Array {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes);
  }

  /** Only for who is sure that nobody uses the buffer any more; one that is not given back is garbage, no more. */
  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }
}
