/** How fast files are signed, which is what a verification does: rolling sum, MD4, and the digest over both. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "rolldown";
import { median } from "./measure.mjs";

const PROMISED_BYTES_PER_SECOND = 300e6;
const ROUNDS = 5;
const FILE_BYTES = 256 * 1024 * 1024;
/** Of files of at most 1 MB, and of larger ones. */
const BLOCK_LENGTHS = [512, 2048];

/** Prints what one core does, reading from `parent` included; whether that is what was promised. */
export async function measureSignatures(parent) {
  const folder = mkdtempSync(path.join(parent, "dupmirror-bench-"));
  try {
    const { ConfinedTree, FileSigner } = await load(folder);
    writeFileSync(path.join(folder, "file"), noise(FILE_BYTES));
    const tree = ConfinedTree.open(folder);
    let kept = true;
    for (const blockLength of BLOCK_LENGTHS) {
      const signer = new FileSigner(tree, () => undefined);
      const speeds = [];
      for (let round = 0; round < ROUNDS; round++) {
        speeds.push(await speedOf(() => signer.sign("file", blockLength)));
      }
      const ratio = median(speeds) / PROMISED_BYTES_PER_SECOND;
      const shown = speeds.map((speed) => (speed / 1e6).toFixed(0)).join(", ");
      const promise = `${ratio.toFixed(1)} of the promised 300`;
      console.log(`signatures, blocks of ${blockLength}: ${shown} MB/s on one core; ${promise}`);
      kept = ratio >= 1 && kept;
    }
    tree.close();
    return kept;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** By the time of the processor, as others may use it, too. */
async function speedOf(sign) {
  const before = process.cpuUsage();
  await sign();
  const { user, system } = process.cpuUsage(before);
  return (FILE_BYTES / (user + system)) * 1e6;
}

async function load(folder) {
  const input = path.join(folder, "entry.ts");
  const source = (file) =>
    JSON.stringify(fileURLToPath(new URL(`../src/disk/${file}`, import.meta.url)));
  writeFileSync(
    input,
    `export { ConfinedTree } from ${source("confined.ts")};\n` +
      `export { FileSigner } from ${source("sign-file.ts")};\n`,
  );
  const file = path.join(folder, "signer.mjs");
  await build({ input, platform: "node", logLevel: "silent", output: { file } });
  return await import(pathToFileURL(file).href);
}

function noise(sizeBytes) {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 4) bytes.writeInt32LE(Math.imul(at, 0x9e3779b1) ^ at, at);
  return bytes;
}
