import { appendFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { toTreePath } from "../../src/bytes/tree-path.js";
import { ConfinedTree } from "../../src/disk/confined.js";
import { FileSigner } from "../../src/disk/sign-file.js";
import { SignatureBuilder } from "../../src/librsync/signature.js";
import { digestSignature } from "../../src/manifest/signature-digest.js";
import { pattern } from "../support/bytes.js";
import { temporaryFolder } from "../support/temporary.js";

const MIB = 1024 * 1024;
const FILE = toTreePath("file");

test.each([0, 1, 511, 512, MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 700])(
  "signs a file of %i bytes as a whole",
  async (sizeBytes) => {
    const { tree, content } = fileOf(sizeBytes);
    const read = counter();
    const signer = new FileSigner(tree, read.turn);
    expect(await signer.sign(FILE, 512)).toEqual(digestOf(content, 512));
    expect(read.bytes()).toBe(sizeBytes);
    expect(await signer.sign(FILE, 2048)).toEqual(digestOf(content, 2048));
  },
);

test("goes on with a file where it was stopped", async () => {
  const { tree, content } = fileOf(4 * MIB + 9);
  const read = counter(2 * MIB);
  const signer = new FileSigner(tree, read.turn);
  await expect(signer.sign(FILE, 2048)).rejects.toThrow("stopped");
  expect(await signer.sign(FILE, 2048)).toEqual(digestOf(content, 2048));
  expect(read.bytes()).toBe(content.length);
});

test("begins anew with a file that was changed since it was stopped", async () => {
  const { tree, content, place } = fileOf(4 * MIB);
  const read = counter(2 * MIB);
  const signer = new FileSigner(tree, read.turn);
  await expect(signer.sign(FILE, 2048)).rejects.toThrow("stopped");
  appendFileSync(place, "more");
  const whole = Buffer.concat([content, Buffer.from("more")]);
  expect(await signer.sign(FILE, 2048)).toEqual(digestOf(whole, 2048));
});

function fileOf(sizeBytes: number) {
  const folder = temporaryFolder();
  const place = path.join(folder, "file");
  const content = pattern(sizeBytes);
  writeFileSync(place, content);
  const tree = ConfinedTree.open(folder);
  onTestFinished(() => tree.close());
  return { tree, content, place };
}

/** Counts what is read, and stops once at `stopBytes`. */
function counter(stopBytes = Number.POSITIVE_INFINITY) {
  let bytes = 0;
  let isStopped = false;
  const turn = (sizeBytes: number): undefined => {
    bytes += sizeBytes;
    if (isStopped || bytes < stopBytes) return;
    isStopped = true;
    throw new Error("stopped");
  };
  return { turn, bytes: () => bytes };
}

function digestOf(content: Uint8Array, blockLength: number): Uint8Array {
  const builder = new SignatureBuilder(blockLength);
  builder.update(content);
  return digestSignature(builder.finish()).digest;
}
