import { quoted } from "../bytes/quoted.js";
import { MirrorError } from "../errors.js";
import { HTTP_SKIP_MAX_BYTES, RETRY_ATTEMPTS } from "../limits.js";
import type { HttpAnswer } from "./http-client.js";
import { checkEncoding, refuseAnswer, refuseStatus } from "./refuse-answer.js";
import type { ByteRange, ReadWatch } from "./source.js";

/**
 * One range of a file on its way. What has come stays when an answer breaks off, and only the rest is asked
 * for, of the same version of the file where the server names versions.
 */
export class RangeRead {
  readonly #range: ByteRange;
  readonly #watch: ReadWatch | undefined;
  #bytes: Buffer | undefined;
  #gotBytes = 0;
  /** Of the version that they are of. */
  #etag: string | undefined;
  #askedFrom = 0;
  #answersLeft = RETRY_ATTEMPTS;

  /** @param range of at least one byte */
  constructor(range: ByteRange, watch: ReadWatch | undefined) {
    this.#range = range;
    this.#watch = watch;
  }

  /** Asks for what is lacking. */
  headers(): Record<string, string> {
    const { offset, sizeBytes } = this.#rest;
    this.#askedFrom = this.#gotBytes;
    this.#answersLeft--;
    const range = `bytes=${offset}-${offset + sizeBytes - 1}`;
    const etag = this.#gotBytes > 0 ? this.#etag : undefined;
    return etag === undefined ? { range } : { range, "if-range": etag };
  }

  /** Asks for the rest when the last answer brought some of it. */
  goOn(): Record<string, string> | undefined {
    const isFutile = this.#gotBytes === this.#askedFrom || this.#answersLeft === 0;
    return isFutile ? undefined : this.headers();
  }

  /** The whole range, once this answer has completed it. */
  async take(answer: HttpAnswer): Promise<Uint8Array> {
    switch (answer.status) {
      case 206:
        checkEncoding(answer);
        checkContentRange(answer, this.#rest);
        this.#checkVersion(answer);
        return this.#collect(answer, 0);
      case 200:
        checkEncoding(answer);
        this.#forget(answer);
        return this.#collect(answer, this.#range.offset);
      case 416:
        return tooShort(answer, this.#range);
      default:
        return refuseStatus(answer);
    }
  }

  get #rest(): ByteRange {
    const { offset, sizeBytes } = this.#range;
    return { offset: offset + this.#gotBytes, sizeBytes: sizeBytes - this.#gotBytes };
  }

  #checkVersion(answer: HttpAnswer): void {
    const etag = strongTag(answer);
    if (this.#gotBytes > 0 && etag !== this.#etag) this.#startOver(answer);
    this.#etag = etag;
  }

  /** The server sends the whole file: it knows no ranges, or the file is another one by now. */
  #forget(answer: HttpAnswer): void {
    const { offset } = this.#range;
    if (offset > HTTP_SKIP_MAX_BYTES && this.#gotBytes > 0) this.#startOver(answer);
    if (offset > HTTP_SKIP_MAX_BYTES) {
      const got = `expected status 206 for offset ${offset}, got 200`;
      refuseAnswer(answer, `ignores ranges: ${got}`);
    }
    this.#gotBytes = 0;
    this.#etag = strongTag(answer);
  }

  #startOver(answer: HttpAnswer): never {
    this.#gotBytes = 0;
    this.#askedFrom = -1;
    throw new MirrorError("SOURCE_UNREACHABLE", `${answer.what} has changed while it was read`);
  }

  async #collect(answer: HttpAnswer, skipBytes: number): Promise<Uint8Array> {
    const { sizeBytes } = this.#range;
    this.#bytes ??= Buffer.allocUnsafeSlow(sizeBytes);
    let toSkip = skipBytes;
    for await (const chunk of answer.chunks) {
      this.#watch?.received(chunk.length);
      const part = chunk.subarray(toSkip);
      toSkip -= chunk.length - part.length;
      const room = sizeBytes - this.#gotBytes;
      const fitting = part.length > room ? part.subarray(0, room) : part;
      this.#bytes.set(fitting, this.#gotBytes);
      this.#gotBytes += fitting.length;
      if (part.length <= room) continue;
      if (answer.status === 200) return this.#bytes;
      refuseAnswer(answer, `sends more than the ${sizeBytes} bytes asked for`);
    }
    return this.#gotBytes === sizeBytes ? this.#bytes : tooShort(answer, this.#range);
  }
}

function checkContentRange(answer: HttpAnswer, range: ByteRange): void {
  const text = answer.header("content-range") ?? "";
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:\d{1,15}|\*)$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  const wantedLast = range.offset + range.sizeBytes - 1;
  if (first === range.offset && last === wantedLast) return;
  if (first === range.offset && last < wantedLast) tooShort(answer, range);
  const got = quoted(text.slice(0, 80));
  refuseAnswer(answer, `answers with Content-Range ${got}, expected ${range.offset}-${wantedLast}`);
}

/** The ETag, if it is one that stands for the very bytes. */
function strongTag(answer: HttpAnswer): string | undefined {
  const etag = answer.header("etag");
  return etag?.startsWith('"') === true ? etag : undefined;
}

function tooShort(answer: HttpAnswer, { offset, sizeBytes }: ByteRange): never {
  const message = `${answer.what} ends before byte ${offset + sizeBytes}`;
  throw new MirrorError("SOURCE_SHORT", message);
}
