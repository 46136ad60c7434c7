/** Encoding and decoding of stripes, one at a time in one thread, beside other codecs. */
import assert from "node:assert/strict";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../support/bundle.mjs";
import { noise } from "../support/noise.mjs";
import { ratio } from "../support/numbers.mjs";
import { run } from "../support/processes.mjs";
import { size } from "../support/sizes.mjs";

export const erasure = {
  name: "erasure",
  title: "Encoding and decoding",
  about:
    "Stripes of 1 MiB, one after the other in one thread; MB/s of data. Decoding makes min(k, n - k) lost data blocks again. The best of all rounds. " +
    "`src/erasure` is measured with all that it does for a stripe: copying and padding, and a call of the thread pool.",
  peers: ["isa-l", "cc", "zfec"],
  sizes: { stripes: size(50, 500), rounds: size(1, 3) },
  notes: [],
  run: measureErasure,
};

const SHAPES = [
  [2, 3],
  [4, 6],
  [8, 12],
];
const STRIPE_BYTES = 1024 * 1024;
const PROGRAMS = fileURLToPath(new URL("../programs/", import.meta.url));

async function measureErasure({ sizes, report, workplace, peers }) {
  const folder = workplace.folder();
  const codecs = { "`src/erasure`": await ourCodec(folder) };
  if (peers.has("isa-l") && peers.has("cc")) codecs["ISA-L"] = await isaCodec(folder);
  if (peers.has("zfec")) codecs["python zfec"] = zfecCodec;
  const rows = [];
  for (const [k, n] of SHAPES) {
    const best = await bestOf(codecs, { k, n, lost: Math.min(k, n - k), ...sizes });
    const [ours] = Object.values(best);
    for (const [name, speed] of Object.entries(best)) {
      const shown = (what) => `${speed[what].toFixed(0)} (${ratio(speed[what] / ours[what])})`;
      rows.push([`(${k}, ${n})`, name, shown("encoding"), shown("decoding")]);
    }
  }
  report.table(
    ["shape", "codec", "encoding, MB/s (times ours)", "decoding, MB/s (times ours)"],
    rows,
  );
}

/** In turn, round by round. */
async function bestOf(codecs, { rounds, stripes, ...shape }) {
  const best = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, codec] of Object.entries(codecs)) {
      const took = await codec({ ...shape, stripes });
      best[name] ??= { encoding: 0, decoding: 0 };
      for (const what of ["encoding", "decoding"]) {
        const speed = (stripes * STRIPE_BYTES) / 1e6 / took[what];
        best[name][what] = Math.max(best[name][what], speed);
      }
    }
  }
  return best;
}

async function ourCodec(folder) {
  const { encodeBlocks, decodeBlocks } = await import(await bundleProgram(folder, "code-stripes"));
  const stripe = noise(STRIPE_BYTES, 1);
  return async ({ k, n, lost, stripes }) => {
    const shape = { k, n };
    let blocks = await encodeBlocks(stripe, shape);
    const encoding = await timed(stripes, async () => {
      blocks = await encodeBlocks(stripe, shape);
    });
    const held = blocks.map((block, share) => (share < lost ? undefined : block));
    assert.deepEqual(await decodeBlocks(held, shape, STRIPE_BYTES), stripe);
    const decoding = await timed(stripes, () => decodeBlocks(held, shape, STRIPE_BYTES));
    return { encoding, decoding };
  };
}

async function timed(times, work) {
  const startedAt = performance.now();
  for (let at = 0; at < times; at++) await work();
  return (performance.now() - startedAt) / 1000;
}

async function isaCodec(folder) {
  const program = path.join(folder, "isa-l");
  await run("cc", ["-O2", "-o", program, path.join(PROGRAMS, "isa-l.c"), "-lisal"]);
  return async (shape) => JSON.parse((await run(program, wordsOf(shape))).stdout);
}

async function zfecCodec(shape) {
  const words = [path.join(PROGRAMS, "zfec_stripes.py"), ...wordsOf(shape)];
  return JSON.parse((await run("/usr/bin/python3", words)).stdout);
}

function wordsOf({ k, n, lost, stripes }) {
  return [k, n, lost, STRIPE_BYTES, stripes].map(String);
}
