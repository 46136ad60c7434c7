/** A whole sync while HTTP sources misbehave; of reading shares alone, test/retrieve/faults.test.ts has every case. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitStatusOf } from "../../src/cli/exit-status.js";
import type { ReplicaMirror } from "../../src/config/replica.js";
import { isMirrorError, type MirrorError } from "../../src/errors.js";
import type { SourceLimits } from "../../src/store/source.js";
import { type DeafServer, startDeafServer } from "../store/deaf-server.js";
import { HTTP_FAULTS, type HttpFault } from "../store/faults.js";
import { startFaultyServer } from "../store/faulty-server.js";
import { HASTY_LIMITS, PATIENT_LIMITS } from "../store/runtime.js";
import { combinations, Random } from "../support/random.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { TestReplica } from "./support/bench.js";
import { changed, file, folder, model } from "./support/model.js";
import { TestPublication } from "./support/publication.js";

const K = 2;
const N = 4;
const random = new Random();

const FIRST = model({ a: folder(10), "a/one": file(random.bytes(300_000), 11), b: file("b", 12) });
const SECOND = changed(FIRST, { "a/two": file(random.bytes(200_000), 21), b: file("bb", 22) });

type Files = Readonly<Record<string, Uint8Array>>;

/** What a source of these files has that stays as it was after the first set, its head and all. */
const FROZEN = { name: "is frozen", keep: (before: Files): Files => before } as const;

/** The same, but for its head. */
const BEHIND = {
  name: "is behind its head",
  keep: (before: Files, { head }: Files): Files =>
    head === undefined ? before : { ...before, head },
} as const;

let deaf: DeafServer;
beforeAll(async () => {
  deaf = await startDeafServer();
});
afterAll(() => deaf.close());

describe(`a sync from ${N} sources, of which ${K} are needed (seed ${random.seed})`, () => {
  it("brings the right tree, whatever is wrong with two of them", async () => {
    const states = await publishTwice();
    await Promise.all(
      [...HTTP_FAULTS, FROZEN, BEHIND].map(async (fault) => {
        const spoiled = random.pick(combinations(N, N - K));
        const replica = await replicaOf(states, fault, { spoiled, limits: PATIENT_LIMITS });

        const report = await replica.sync();

        expect(report.strategy, fault.name).toBe("fresh");
        expect(replica.faults(SECOND), fault.name).toEqual([]);
      }),
    );
  });

  it("ends with status 4 when that is wrong with three, says so of each, and leaves the tree", async () => {
    const states = await publishTwice();
    await Promise.all(
      [...HTTP_FAULTS, BEHIND].map(async (fault) => {
        const spoiled = random.pick(combinations(N, N - K + 1));
        const replica = await replicaOf(states, fault, { spoiled, limits: HASTY_LIMITS });

        const failure = await failureOf(replica.sync());

        expect(exitStatusOf(failure.code), `${fault.name}: ${failure.message}`).toBe(4);
        for (const share of spoiled) expect(failure.message, fault.name).toContain(`host-${share}`);
        expect(replica.position, fault.name).toBeUndefined();
      }),
    );
  });
});

/** What each host has after the first set and after the second. */
async function publishTwice(): Promise<readonly [Files[], Files[]]> {
  const publication = new TestPublication(fastTemporaryFolder(), { shape: { k: K, n: N } });
  await publication.addFull(FIRST);
  const before = hosts(publication.folder);
  await publication.addIncrement(SECOND);
  return [before, hosts(publication.folder)];
}

/** The documents and one share for each. */
function hosts(published: string): Files[] {
  const names = readdirSync(published, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(published, path.join(entry.parentPath, entry.name)));
  return Array.from({ length: N }, (_, share) => {
    const own = names.filter(
      (name) => !name.startsWith("shares/") || name.startsWith(`shares/${share}/`),
    );
    return Object.fromEntries(own.map((name) => [name, readFileSync(path.join(published, name))]));
  });
}

/** A new replica of four hosts, the spoiled ones with that fault. */
async function replicaOf(
  [before, after]: readonly [Files[], Files[]],
  fault: HttpFault | typeof FROZEN | typeof BEHIND,
  how: { readonly spoiled: readonly number[]; readonly limits: SourceLimits },
): Promise<TestReplica> {
  const start = async (share: number): Promise<string> => {
    const [old = {}, whole = {}] = [before[share], after[share]];
    if (!how.spoiled.includes(share)) return (await startFaultyServer(whole)).url;
    if ("keep" in fault) return (await startFaultyServer(fault.keep(old, whole))).url;
    if (fault.misbehave === undefined) return `${deaf.url}/${share}`;
    const server = await startFaultyServer(whole);
    server.misbehave(fault.misbehave(server.files));
    return server.url;
  };
  const urls = await Promise.all(after.map((_, share) => start(share)));
  const sources: ReplicaMirror["sources"] = urls.map((url, share) => {
    return { url, name: `host-${share}`, shares: [share], access: {} };
  });
  const replica = new TestReplica(fastTemporaryFolder(), []);
  replica.config = { ...replica.config, sources, limits: how.limits };
  return replica;
}

async function failureOf(work: Promise<unknown>): Promise<MirrorError> {
  try {
    await work;
  } catch (error) {
    if (isMirrorError(error)) return error;
    throw error;
  }
  throw new Error("expected a failure");
}
