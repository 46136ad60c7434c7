/** librsync deltas (duplicity-format 6), read as they come. */
import { MirrorError } from "../errors.js";

export type DeltaCommand =
  /** The result goes on with `bytes`. One literal of the delta may come in several of these. */
  | { readonly kind: "literal"; readonly bytes: Uint8Array }
  /** The result goes on with `sizeBytes` bytes of the base from `position`; never 0. */
  | { readonly kind: "copy"; readonly position: number; readonly sizeBytes: number };

/**
 * Reads one delta, given in pieces of any size. Literals are views of the pieces.
 * Every method throws MirrorError FORMAT_INVALID where the delta is not one.
 */
export class DeltaReader {
  #state: "magic" | "command" | "parameters" | "literal" | "ended" = "magic";
  /** The magic number, or the parameters of the command `#op`. */
  readonly #scratch = new DataView(new ArrayBuffer(16));
  #filled = 0;
  #wanted = 4;
  #op = 0;
  #literalLeft = 0;
  #position = 0;

  /** The commands that `chunk` completes, and its part of a literal. To be read to their end. */
  *push(chunk: Uint8Array): Generator<DeltaCommand> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      yield* this.#pushPiece(chunk.subarray(at, at + PIECE_BYTES));
    }
  }

  /** To be called when nothing follows. */
  finish(): void {
    if (this.#state !== "ended") refuse(`ends after ${this.#position} bytes, inside its commands`);
  }

  #pushPiece(piece: Uint8Array): readonly DeltaCommand[] {
    const commands: DeltaCommand[] = [];
    let at = 0;
    while (at < piece.length) at = this.#step(piece, at, commands);
    this.#position += piece.length;
    return commands;
  }

  #step(chunk: Uint8Array, at: number, commands: DeltaCommand[]): number {
    switch (this.#state) {
      case "command":
        this.#begin(chunk[at] ?? 0);
        return at + 1;
      case "literal": {
        const end = Math.min(chunk.length, at + this.#literalLeft);
        commands.push({ kind: "literal", bytes: chunk.subarray(at, end) });
        this.#literalLeft -= end - at;
        if (this.#literalLeft === 0) this.#state = "command";
        return end;
      }
      case "magic":
      case "parameters":
        this.#scratch.setUint8(this.#filled++, chunk[at] ?? 0);
        if (this.#filled === this.#wanted) this.#complete(commands);
        return at + 1;
      case "ended":
        return refuse("goes on after its END command");
    }
  }

  #begin(op: number): void {
    if (op === END) {
      this.#state = "ended";
    } else if (op < LITERAL_SIZED) {
      this.#beginLiteral(op);
    } else if (op < RESERVED) {
      this.#op = op;
      this.#filled = 0;
      this.#wanted =
        op < COPY ? widthOf(op - LITERAL_SIZED) : widthOf((op - COPY) >> 2) + widthOf(op - COPY);
      this.#state = "parameters";
    } else {
      refuse(`has the reserved command 0x${op.toString(16)}`);
    }
  }

  #complete(commands: DeltaCommand[]): void {
    if (this.#state === "magic") {
      const magic = this.#scratch.getUint32(0);
      if (magic !== MAGIC)
        refuse(`begins with 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)}`);
      this.#state = "command";
    } else if (this.#op < COPY) {
      this.#beginLiteral(this.#number(0, this.#wanted));
    } else {
      const positionWidth = widthOf((this.#op - COPY) >> 2);
      commands.push(
        checkCopy(this.#number(0, positionWidth), this.#number(positionWidth, this.#wanted)),
      );
      this.#state = "command";
    }
  }

  #beginLiteral(sizeBytes: number): void {
    if (sizeBytes === 0) refuse("has a LITERAL of length 0");
    this.#literalLeft = sizeBytes;
    this.#state = "literal";
  }

  #number(start: number, end: number): number {
    let value = 0;
    for (let at = start; at < end; at++) value = value * 256 + this.#scratch.getUint8(at);
    if (value > Number.MAX_SAFE_INTEGER) refuse("has a number above 2^53");
    return value;
  }
}

/** Two bytes can be a command, which takes a hundred times as much memory. */
const PIECE_BYTES = 64 * 1024;

const MAGIC = 0x72730236;
const END = 0x00;
/** 0x01 to 0x40 are literals of that length; 0x41 to 0x44 say it in 1, 2, 4, 8 bytes. */
const LITERAL_SIZED = 0x41;
/** 0x45 + 4a + b: position in 2^a bytes, length in 2^b. */
const COPY = 0x45;
const RESERVED = 0x55;

function widthOf(code: number): number {
  return 1 << (code & 3);
}

function checkCopy(position: number, sizeBytes: number): DeltaCommand {
  if (sizeBytes === 0) refuse("has a COPY of length 0");
  if (position + sizeBytes > Number.MAX_SAFE_INTEGER) refuse("copies from beyond 2^53");
  return { kind: "copy", position, sizeBytes };
}

function refuse(why: string): never {
  throw new MirrorError("FORMAT_INVALID", `librsync delta ${why}`);
}
