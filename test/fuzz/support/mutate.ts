/** Any bytes, and what damage, malice and bad luck make of valid ones. */
import fc from "fast-check";
import { concat } from "../../support/tar.js";

/** Mostly mutations of one of `samples`; some are any bytes at all. */
export function mutated(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const sample = fc.nat(samples.length - 1).map((at) => samples[at] ?? NOTHING);
  const changes = fc.array(change(sample), { minLength: 1, maxLength: 6 });
  const near = fc.tuple(sample, changes).map(([bytes, list]) => applyAll(bytes, list));
  return fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: ANY_BYTES });
}

/** A place is a fraction of the length, so that it stays in the bytes while a failure is shrunk. */
type Change =
  | { readonly kind: "flip"; readonly place: number; readonly bit: number }
  | { readonly kind: "cut"; readonly place: number }
  | { readonly kind: "remove"; readonly place: number; readonly size: number }
  | {
      readonly kind: "repeat";
      readonly place: number;
      readonly size: number;
      readonly times: number;
    }
  | { readonly kind: "insert"; readonly place: number; readonly bytes: Uint8Array }
  | { readonly kind: "overwrite"; readonly place: number; readonly bytes: Uint8Array }
  | { readonly kind: "digits"; readonly place: number; readonly text: string }
  | {
      readonly kind: "splice";
      readonly place: number;
      readonly other: Uint8Array;
      readonly from: number;
    };

const NOTHING = new Uint8Array(0);
const ANY_BYTES = fc.uint8Array({ maxLength: 1500 });
const PLACE = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Where programs count wrong. */
const NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  8n,
  63n,
  64n,
  100n,
  127n,
  128n,
  255n,
  256n,
  511n,
  512n,
  513n,
  4095n,
  4096n,
  65_535n,
  65_536n,
  2n ** 20n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 52n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const NUMBER = fc.constantFrom(...NUMBERS);

/** A number as formats write them: big-endian in so many bytes, as LEB128, in decimal or octal digits. */
const NUMBER_BYTES = fc.oneof(
  fc.tuple(NUMBER, fc.constantFrom(1, 2, 4, 8)).map(([value, width]) => bigEndian(value, width)),
  NUMBER.map(leb128),
  fc.tuple(NUMBER, fc.constantFrom(8, 10)).map(([value, base]) => ascii(value.toString(base))),
);

const TEXTS = [
  "\n",
  "\n\n",
  "\0",
  "/",
  "..",
  "../",
  "/etc",
  '"',
  "\\",
  "\\x0a",
  "\x1b[2J",
  "=",
  "[",
  "{",
  "*",
  "**",
  "\xff\xfe",
  " ",
];

const INSERTED = fc.oneof(
  NUMBER_BYTES,
  fc.constantFrom(...TEXTS).map(ascii),
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
);

function change(sample: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Change> {
  const size = fc.oneof(fc.nat(8), fc.nat(600));
  return fc.oneof(
    fc.record({ kind: fc.constant("flip"), place: PLACE, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant("cut"), place: PLACE }),
    fc.record({ kind: fc.constant("remove"), place: PLACE, size }),
    fc.record({
      kind: fc.constant("repeat"),
      place: PLACE,
      size,
      times: fc.integer({ min: 1, max: 20 }),
    }),
    fc.record({ kind: fc.constant("insert"), place: PLACE, bytes: INSERTED }),
    fc.record({ kind: fc.constant("overwrite"), place: PLACE, bytes: INSERTED }),
    fc.record({
      kind: fc.constant("digits"),
      place: PLACE,
      text: NUMBER.map((value) => String(value)),
    }),
    fc.record({ kind: fc.constant("splice"), place: PLACE, other: sample, from: PLACE }),
  );
}

function applyAll(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  return changes.reduce((changed, one) => apply(changed, one), bytes);
}

function apply(bytes: Uint8Array, change: Change): Uint8Array {
  const at = Math.floor(change.place * bytes.length);
  const head = bytes.subarray(0, at);
  switch (change.kind) {
    case "flip":
      return concat(
        head,
        bytes.subarray(at, at + 1).map((byte) => byte ^ (1 << change.bit)),
        bytes.subarray(at + 1),
      );
    case "cut":
      return head;
    case "remove":
      return concat(head, bytes.subarray(at + change.size));
    case "repeat": {
      const run = bytes.subarray(at, at + change.size);
      return concat(head, ...Array.from({ length: change.times }, () => run), bytes.subarray(at));
    }
    case "insert":
      return concat(head, change.bytes, bytes.subarray(at));
    case "overwrite":
      return concat(head, change.bytes, bytes.subarray(at + change.bytes.length));
    case "digits":
      return replaceDigits(bytes, at, change.text);
    case "splice":
      return concat(head, change.other.subarray(Math.floor(change.from * change.other.length)));
  }
}

/** Another number in the place of the next one that is written in digits. */
function replaceDigits(bytes: Uint8Array, at: number, text: string): Uint8Array {
  let start = at;
  while (start < bytes.length && !isDigit(bytes[start])) start++;
  let end = start;
  while (end < bytes.length && isDigit(bytes[end])) end++;
  return concat(bytes.subarray(0, start), ascii(text), bytes.subarray(end));
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function bigEndian(value: bigint, width: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes.subarray(8 - width);
}

function leb128(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
