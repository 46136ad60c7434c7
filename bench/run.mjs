/**
 * npm run bench [-- --files 40000 --rounds 3 --increments 96 --place memory|disk --entries 1000000]
 * Needs a build (`npm run build`), duplicity, rsync and strace. Ends with status 1 when a promise is missed.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { measureFirstMirror } from "./first-mirror.mjs";
import { measureLargeTree } from "./large-tree.mjs";
import { measureSignatures } from "./signature.mjs";

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "40000" },
    rounds: { type: "string", default: "3" },
    increments: { type: "string", default: "96" },
    place: { type: "string" },
    entries: { type: "string", default: "1000000" },
  },
});

const PLACES = { memory: "/dev/shm", disk: tmpdir() };

const inMemory = existsSync(PLACES.memory) ? PLACES.memory : PLACES.disk;
const rounds = Number.parseInt(values.rounds, 10);
let kept = await measureSignatures(inMemory);
for (const [place, parent] of Object.entries(PLACES)) {
  if ((values.place ?? place) !== place || !existsSync(parent)) continue;
  const files = Number.parseInt(values.files, 10);
  const increments = Number.parseInt(values.increments, 10);
  kept = (await measureFirstMirror({ place, parent, files, rounds, increments })) && kept;
}
const large = Number.parseInt(values.entries, 10);
kept = (await measureLargeTree({ parent: inMemory, files: large, rounds })) && kept;
process.exitCode = kept ? 0 : 1;
