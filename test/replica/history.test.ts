import { expect, test, vi } from "vitest";
import { Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import { randomHistory } from "./support/model.js";
import { publishHistory } from "./support/publication.js";

// Nothing in memory gains from a sync, and a process for each of thousands of cycles is most of their time.
vi.mock("../../src/programs/sync.js", () => ({ syncFileSystem: () => Promise.resolve() }));

const HISTORIES = process.env["SLOW"] === undefined ? 30 : 300;
const SETS = 6;
const FIRST_SEED = new Random().seed;
const SHAPES = [
  { k: 1, n: 1 },
  { k: 2, n: 3 },
  { k: 3, n: 4 },
];
const ARCHIVES = [{}, { pieceSizeBytes: 4096, volumeSizeBytes: 20_000 }, { pieceSizeBytes: 512 }];

test.each(Array.from({ length: HISTORIES }, (_, at) => FIRST_SEED + at))(
  "follows a random history from every set to the last, with and without stops (SEED=%i)",
  async (seed) => {
    const folder = fastTemporaryFolder();
    const random = new Random(seed);
    const trees = randomHistory(random, SETS);
    const publication = await publishHistory(`${folder}/publication`, trees, {
      shape: random.pick(SHAPES),
      wrapping: random.pick(["plain", "gzip"]),
      archive: random.pick(ARCHIVES),
      ...random.pick([{}, { pageEntries: 5 }]),
    });
    for (let first = 0; first < SETS; first++) {
      for (const stride of [1, SETS]) {
        const replica = new TestReplica(`${folder}/${first}-${stride}`, [publication]);
        for (const at of stops(first, stride)) {
          publication.showHead(at);
          await replica.sync();
          const faults = replica.faults(trees[at] ?? new Map());
          expect({ first, stride, at, faults }).toEqual({ first, stride, at, faults: [] });
        }
      }
    }
  },
);

/** Where to stop on the way from set `first` to the last. */
function stops(first: number, stride: number): number[] {
  const found: number[] = [];
  for (let at = first; at < SETS; at += stride) found.push(at);
  return found.at(-1) === SETS - 1 ? found : [...found, SETS - 1];
}
