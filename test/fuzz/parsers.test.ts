/** Any bytes, and any mutation of valid ones, give a value or one clear refusal, from every parser there is. */
import fc from "fast-check";
import { describe, test } from "vitest";
import { Random } from "../support/random.js";
import { DOCUMENTS } from "./support/documents.js";
import { FORMATS } from "./support/formats.js";
import { mutated } from "./support/mutate.js";
import { meets } from "./support/target.js";
import { TEXTS } from "./support/texts.js";

const RUNS = process.env["SLOW"] === undefined ? 300 : 100_000;
const { seed } = new Random();

describe.each([...DOCUMENTS, ...FORMATS, ...TEXTS])("$name", (target) => {
  test("is read when it is valid", async () => {
    for (const sample of target.samples) await target.parse(sample);
  });

  test(`is read or refused, whatever it is (SEED=${seed})`, { timeout: 3_600_000 }, async () => {
    const inputs = fc.tuple(mutated(target.samples), fc.boolean()).map(([bytes, repairs]) => {
      const input = repairs ? (target.repair?.(bytes) ?? bytes) : bytes;
      return {
        input,
        [fc.toStringMethod]: () => `base64 ${Buffer.from(input).toString("base64")}`,
      };
    });
    const property = fc.asyncProperty(inputs, async ({ input }) => {
      await meets(target, input);
    });
    const numRuns = target.isSlow === true ? RUNS / 10 : RUNS;
    await fc.assert(property, { seed, numRuns });
  });
});
