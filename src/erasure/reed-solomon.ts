/** The Reed-Solomon addon, checked before its first use; `codec.ts` alone calls it. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { MirrorError } from "../errors.js";

/** Opaque: the addon aborts the process when a context was written to. */
type Context = object;

/** Shard i is bit i. Shards that are neither sources nor targets get overwritten. */
export interface Coding {
  readonly sources: number;
  readonly targets: number;
  /** The k data shards one after the other, not empty; its size over k is a multiple of 8. */
  readonly data: Buffer;
  /** The m parity shards likewise. */
  readonly parity: Buffer;
}

export type Coder = (coding: Coding) => Promise<void>;

/** A coder for k data and m parity shards. @throws MirrorError PROGRAM_MISSING without the addon */
export async function openCoder(k: number, m: number): Promise<Coder> {
  tested ??= testAddon();
  await tested;
  const key = `${k}+${m}`;
  const coder = coders.get(key) ?? makeCoder(k, m);
  coders.set(key, coder);
  return coder;
}

interface Addon {
  readonly create: (k: number, m: number) => Context;
  readonly encode: (...list: EncodeArguments) => void;
}

type EncodeArguments = [
  context: Context,
  sources: number,
  targets: number,
  buffer: Buffer,
  bufferOffset: number,
  bufferSize: number,
  parity: Buffer,
  parityOffset: number,
  paritySize: number,
  end: (error?: Error) => void,
];

const ADDON = "@ronomon/reed-solomon";

/** Coders and the outcome of the test depend on nothing but the installed addon. */
const coders = new Map<string, Coder>();
let tested: Promise<void> | undefined;
let addon: Addon | undefined;

function makeCoder(k: number, m: number): Coder {
  const { create, encode } = (addon ??= loadAddon());
  const context = create(k, m);
  return ({ sources, targets, data, parity }) =>
    new Promise((resolve, reject) => {
      assert(data.length > 0 && data.length % (8 * k) === 0, "data shards of a wrong size");
      assert(parity.length === (data.length / k) * m, "parity shards of a wrong size");
      const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
      encode(context, sources, targets, data, 0, data.length, parity, 0, parity.length, end);
    });
}

function loadAddon(): Addon {
  const loaded = requireAddon();
  assert(isAddon(loaded), `${ADDON} has another interface than expected`);
  return loaded;
}

/** By `require`: an addon is no ES module. */
function requireAddon(): unknown {
  const require = createRequire(import.meta.url);
  try {
    return require("@ronomon/reed-solomon");
  } catch (cause) {
    const message = `cannot load ${ADDON}: install dupmirror's dependencies again (npm ci)`;
    throw new MirrorError("PROGRAM_MISSING", message, { cause });
  }
}

function isAddon(value: unknown): value is Addon {
  if (typeof value !== "object" || value === null) return false;
  if (!("create" in value && "encode" in value)) return false;
  return typeof value.create === "function" && typeof value.encode === "function";
}

/** Another code than the one that published would make garbage of everything: parity must be what it always was. */
async function testAddon(): Promise<void> {
  const code = makeCoder(3, 2);
  const data = Buffer.from("abcdefghijklmnopabcdefgh", "latin1");
  const parity = Buffer.alloc(16);
  await code({ sources: 0b00111, targets: 0b11000, data, parity });
  const golden = "696a6b6c6d6e6f700c14001869626b64";
  assert.equal(parity.toString("hex"), golden, `${ADDON} computes another code`);
  const damaged = Buffer.from("........ijklmnop........", "latin1");
  await code({ sources: 0b11010, targets: 0b00101, data: damaged, parity });
  assert.deepEqual(damaged, data, `${ADDON} does not restore what was lost`);
}
