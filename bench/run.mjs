/**
 * npm run bench [-- --files 40000 --rounds 3 --increments 96 --place memory|disk]
 * Needs a build (`npm run build`), duplicity and rsync. Ends with status 1 when a promise is missed.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { measureFirstMirror } from "./first-mirror.mjs";
import { measureSignatures } from "./signature.mjs";

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "40000" },
    rounds: { type: "string", default: "3" },
    increments: { type: "string", default: "96" },
    place: { type: "string" },
  },
});

const PLACES = { memory: "/dev/shm", disk: tmpdir() };

const inMemory = existsSync(PLACES.memory) ? PLACES.memory : PLACES.disk;
let kept = await measureSignatures(inMemory);
for (const [place, parent] of Object.entries(PLACES)) {
  if ((values.place ?? place) !== place || !existsSync(parent)) continue;
  const files = Number.parseInt(values.files, 10);
  const rounds = Number.parseInt(values.rounds, 10);
  const increments = Number.parseInt(values.increments, 10);
  kept = (await measureFirstMirror({ place, parent, files, rounds, increments })) && kept;
}
process.exitCode = kept ? 0 : 1;
