import type { ReadWatch } from "../store/source.js";
import type { Beat } from "./beat.js";

/** What a read has shown so far, by the time of `beat`. While it waits for its turn no time passes for it. */
export class Progress implements ReadWatch {
  readonly sizeBytes: number;
  readonly #beat: Beat;
  #askedAtMs: number | undefined;
  #heardAtMs = 0;
  #longestSilenceMs = 0;
  #receivedBytes = 0;

  constructor(sizeBytes: number, beat: Beat) {
    this.sizeBytes = sizeBytes;
    this.#beat = beat;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Since the source was asked. */
  get elapsedMs(): number {
    return this.#askedAtMs === undefined ? 0 : this.#beat.nowMs - this.#askedAtMs;
  }

  /** Since the source was asked or last sent something. */
  get silentMs(): number {
    return this.#askedAtMs === undefined ? 0 : this.#beat.nowMs - this.#heardAtMs;
  }

  get longestSilenceMs(): number {
    return Math.max(this.#longestSilenceMs, this.silentMs);
  }

  asked(): void {
    this.#askedAtMs = this.#beat.nowMs;
    this.#heardAtMs = this.#beat.nowMs;
  }

  received(sizeBytes: number): void {
    this.#longestSilenceMs = this.longestSilenceMs;
    this.#heardAtMs = this.#beat.nowMs;
    this.#receivedBytes += sizeBytes;
  }
}
