/** How fast files are signed, which is what a verification does: rolling sum, MD4, and the digest over both. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { bundleProgram } from "../support/bundle.mjs";
import { noise } from "../support/noise.mjs";
import { list, median } from "../support/numbers.mjs";
import { size } from "../support/sizes.mjs";

export const signatures = {
  name: "signatures",
  title: "Signatures",
  about:
    "What a verification does to a file in memory, reading included, by the time of one core, as others may use it too.",
  peers: [],
  sizes: { "signed-mib": size(16, 256), rounds: size(1, 3) },
  notes: [
    "The rolling sum takes sixteen bytes at once; byte by byte it was 306 to 356 MB/s with blocks of 512 bytes and 391 to 414 with 2048, " +
      "without reading. MD4 is the rest.",
  ],
  run: measureSignatures,
};

const PROMISED_BYTES_PER_SECOND = 300e6;

/** Of files of at most 1 MB, and of larger ones. */
const BLOCK_LENGTHS = [512, 2048];

async function measureSignatures({ sizes, report, workplace }) {
  const folder = workplace.folder();
  const fileBytes = sizes["signed-mib"] * 1024 * 1024;
  const { ConfinedTree, FileSigner } = await import(await bundleProgram(folder, "sign"));
  writeFileSync(path.join(folder, "file"), noise(fileBytes, 1));
  const tree = ConfinedTree.open(folder);
  const rows = [];
  for (const blockLength of BLOCK_LENGTHS) {
    const signer = new FileSigner(tree, () => undefined);
    const speeds = [];
    for (let round = 0; round < sizes.rounds; round++) {
      speeds.push(fileBytes / (await cpuSecondsOf(() => signer.sign("file", blockLength))));
    }
    rows.push({ blockLength, speeds });
  }
  tree.close();
  report.table(
    ["blocks of", "MB/s on one core"],
    rows.map(({ blockLength, speeds }) => [`${blockLength} bytes`, shown(speeds)]),
  );
  for (const { blockLength, speeds } of rows) {
    const isKept = median(speeds) >= PROMISED_BYTES_PER_SECOND;
    const measured = `${shown([median(speeds)])} MB/s`;
    report.verdict(isKept, `Signatures of ${blockLength} bytes`, measured, "at least 300 MB/s");
  }
}

function shown(speeds) {
  return list(
    speeds.map((speed) => speed / 1e6),
    0,
  );
}

async function cpuSecondsOf(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
