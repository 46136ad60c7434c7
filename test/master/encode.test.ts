import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/bytes/digest.js";
import { decodeBlocks } from "../../src/erasure/codec.js";
import { decompressStripe } from "../../src/erasure/stripe.js";
import { STRIPE_SIZE_BYTES } from "../../src/limits.js";
import { FileEncoder, type PlainFile } from "../../src/master/encode.js";
import { Random } from "../support/random.js";

const SHAPE = { k: 2, n: 3 };
const CHUNK_BYTES = 300_000;

describe("FileEncoder", () => {
  const random = new Random();

  it(`gives stripes that decode to the files, though it works in the same buffers (seed ${random.seed})`, async () => {
    const sizes = [5 * STRIPE_SIZE_BYTES + 17, 0, 9, STRIPE_SIZE_BYTES, 3 * STRIPE_SIZE_BYTES];
    const contents = sizes.map((sizeBytes, number) =>
      number % 2 === 0 ? random.bytes(sizeBytes) : Buffer.alloc(sizeBytes, number),
    );
    const encoder = new FileEncoder(SHAPE);
    expect(await codeAndDecode(encoder, contents)).toStrictEqual(contents.map(hexHash));
    expect(await codeAndDecode(encoder, contents)).toStrictEqual(contents.map(hexHash));
  });

  it("throws what a file throws, after the stripes before it", async () => {
    const encoder = new FileEncoder(SHAPE);
    const kinds: string[] = [];
    const encode = async (): Promise<void> => {
      for await (const { kind } of encoder.encode([plainFile(1, brokenChunks())])) kinds.push(kind);
    };
    await expect(encode()).rejects.toThrow("the disk is gone");
    expect(await codeAndDecode(encoder, [Buffer.from("later")])).toHaveLength(1);
  });
});

/** The hashes of what the blocks of shares 1 and 2 decode to, file by file; each block is looked at when it comes. */
async function codeAndDecode(
  encoder: FileEncoder,
  contents: readonly Uint8Array[],
): Promise<string[]> {
  const hashes: string[] = [];
  let parts: Uint8Array[] = [];
  const files = contents.map((bytes, number) => plainFile(number + 1, chunksOf(bytes)));
  for await (const event of encoder.encode(files)) {
    if (event.kind === "end") {
      const bytes = Buffer.concat(parts);
      expect(event.sizeBytes).toBe(bytes.length);
      expect(Buffer.from(event.hash).toString("hex")).toBe(hexHash(bytes));
      hashes.push(hexHash(bytes));
      parts = [];
      continue;
    }
    const { stripe, blocks } = event;
    blocks.forEach((block, share) => {
      const hash = stripe.blockHashes.subarray(share * 32, share * 32 + 32);
      expect(Buffer.from(hash).toString("hex")).toBe(hexHash(block));
    });
    const stored = await decodeBlocks(
      [undefined, ...blocks.slice(1)],
      SHAPE,
      stripe.storedSizeBytes,
    );
    const rest = (contents[hashes.length]?.length ?? 0) - parts.length * STRIPE_SIZE_BYTES;
    const rawSizeBytes = Math.min(STRIPE_SIZE_BYTES, rest);
    parts.push(Buffer.from(await decompressStripe(stripe.compression, stored, rawSizeBytes)));
  }
  return hashes;
}

function plainFile(number: number, chunks: AsyncIterable<Uint8Array>): PlainFile {
  const name = `volume ${number}`;
  const stripeSizeBytes = STRIPE_SIZE_BYTES;
  return { name, role: "volume", number, wrapping: "plain", stripeSizeBytes, chunks };
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    yield await Promise.resolve(bytes.subarray(at, at + CHUNK_BYTES));
  }
}

async function* brokenChunks(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.alloc(2 * STRIPE_SIZE_BYTES, 1));
  throw new Error("the disk is gone");
}

function hexHash(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString("hex");
}
