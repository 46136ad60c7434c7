/**
 * The outer form of an encrypted OpenPGP message (RFC 9580, 4.2 and 10.3), which shows without any key whether the
 * message is whole: packets with encrypted session keys, then one of encrypted data, then the end.
 */
import { MirrorError } from "../errors.js";

/** Takes a message in pieces. @throws MirrorError FORMAT_INVALID when it is none, or not whole */
export class MessageFrame {
  readonly #what: string;
  #state: "tag" | "length" | "body" | "untilEnd" = "tag";
  /** Of a length in several octets: how many are to come, their value so far, and what is added to it. */
  #lengthLeft = 0;
  #length = 0;
  #lengthFrom = 0;
  #bodyLeft = 0;
  #isPartial = false;
  #hasData = false;

  constructor(what: string) {
    this.#what = what;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === "untilEnd") return;
      if (this.#state === "body") {
        const size = Math.min(this.#bodyLeft, bytes.length - at);
        this.#bodyLeft -= size;
        at += size;
        this.#endIfOver();
      } else {
        this.#takeOctet(bytes[at] ?? 0);
        at += 1;
      }
    }
  }

  finish(): void {
    const isWhole = this.#hasData && (this.#state === "tag" || this.#state === "untilEnd");
    if (!isWhole) this.#refuse("is cut short");
  }

  #takeOctet(octet: number): void {
    if (this.#state === "tag") this.#beginPacket(octet);
    else if (this.#lengthLeft > 0) this.#addToLength(octet);
    else this.#beginLength(octet);
  }

  #beginPacket(octet: number): void {
    if (this.#hasData || (octet & 0x80) === 0) this.#refuse("is no encrypted message");
    const isNewFormat = (octet & 0x40) !== 0;
    const tag = isNewFormat ? octet & 0x3f : (octet >> 2) & 0x0f;
    this.#hasData = DATA_TAGS.has(tag);
    if (!this.#hasData && !KEY_TAGS.has(tag)) this.#refuse("is no encrypted message");
    if (isNewFormat) {
      this.#state = "length";
    } else if ((octet & 3) === INDETERMINATE) {
      this.#state = "untilEnd";
    } else {
      this.#isPartial = false;
      this.#expectLength(1 << (octet & 3));
    }
  }

  /** The first octet of a length in the new format. */
  #beginLength(octet: number): void {
    this.#isPartial = octet >= 224 && octet < 255;
    if (this.#isPartial) this.#beginBody(2 ** (octet & 0x1f));
    else if (octet < 192) this.#beginBody(octet);
    else if (octet < 224) this.#expectLength(1, { begun: octet - 192, from: 192 });
    else this.#expectLength(4);
  }

  #expectLength(octetCount: number, { begun, from } = { begun: 0, from: 0 }): void {
    this.#state = "length";
    this.#lengthLeft = octetCount;
    this.#length = begun;
    this.#lengthFrom = from;
  }

  #addToLength(octet: number): void {
    this.#length = this.#length * 256 + octet;
    this.#lengthLeft -= 1;
    if (this.#lengthLeft === 0) this.#beginBody(this.#length + this.#lengthFrom);
  }

  #beginBody(sizeBytes: number): void {
    this.#state = "body";
    this.#bodyLeft = sizeBytes;
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#bodyLeft === 0) this.#state = this.#isPartial ? "length" : "tag";
  }

  #refuse(why: string): never {
    throw new MirrorError("FORMAT_INVALID", `${this.#what} ${why}`);
  }
}

/** Encrypted data: without and with protection of its integrity, and gpg's own authenticated form. */
const DATA_TAGS = new Set([9, 18, 20]);
/** Session keys, encrypted to a public key or with a passphrase; a marker, which means nothing. */
const KEY_TAGS = new Set([1, 3, 10]);
/** A type of length in the old format: the packet ends where the file does. */
const INDETERMINATE = 3;
