import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/bytes/digest.js";
import { MirrorError } from "../../src/errors.js";
import { SourcePool } from "../../src/retrieve/source-pool.js";
import {
  type RetrievedStripe,
  retrieveStripes,
  type StripeRequest,
} from "../../src/retrieve/stripes.js";
import { blackHole, type Fault, MemorySource, unreachable } from "../store/memory-source.js";
import { neverAborted, testRuntime } from "../store/runtime.js";
import { combinations, Random, sample } from "../support/random.js";
import {
  allStripes,
  type Published,
  pathOf,
  poolOf,
  publish,
  sourcePerShare,
  wholeSource,
} from "./published.js";

const MIB = 1024 * 1024;
const random = new Random();

describe.each([
  [2, 3],
  [4, 6],
  [8, 12],
])("with any %d of %d shares", (k, n) => {
  const shape = { k, n };
  const all = combinations(n, n - k);
  const allTooMany = combinations(n, n - k + 1);
  const small = publish([textOf(3000), random.bytes(70_000), textOf(1)], shape);

  it.each([
    ["missing", (source: MemorySource) => source.files.clear()],
    ["cut short", cutShort],
    ["corrupt", (source: MemorySource) => withFault(source, corrupt)],
    ["unreachable", (source: MemorySource) => withFault(source, unreachable)],
  ])(`the bytes are right while the others are %s (seed ${random.seed})`, async (_, spoil) => {
    const published = await small;
    for (const spoiled of sample(all, 100, random)) {
      const sources = sourcePerShare(published);
      for (const share of spoiled) spoil(at(sources, share));

      const files = await retrieveAll(poolOf(sources), published);

      expect(files, `without ${spoiled.join()}`).toStrictEqual(hashesOf(published));
    }
  });

  it.each([
    ["missing", "SOURCE_MISSING", (source: MemorySource) => source.files.clear()],
    ["cut short", "SOURCE_SHORT", cutShort],
    ["corrupt", "BLOCK_CORRUPT", (source: MemorySource) => withFault(source, corrupt)],
  ])(`one more that is %s is too many (seed ${random.seed})`, async (_, code, spoil) => {
    const published = await small;
    for (const spoiled of sample(allTooMany, 20, random)) {
      const sources = sourcePerShare(published);
      for (const share of spoiled) spoil(at(sources, share));

      const failure = await failureOf(retrieveAll(poolOf(sources), published));

      expect(failure.code).toBe("SHARES_TOO_FEW");
      expect(failure.message).toContain(
        "duplicity-full.20231114T221320Z.vol1.difftar stripe 0: " +
          `${k - 1} good shares, ${k} needed; ` +
          spoiled.map((share) => `share ${share}: ${code} at s${share}`).join("; "),
      );
    }
  });

  it("reads the data shares, each in one range, while they are good", async () => {
    const published = await small;
    const sources = sourcePerShare(published);

    await retrieveAll(poolOf(sources), published);

    expect(sources.map(({ reads }) => reads.length)).toStrictEqual(
      sources.map((_, share) => (share < k ? 1 : 0)),
    );
  });
});

describe("a bad block", () => {
  it("costs one block from another share", async () => {
    const published = await publish([random.bytes(3 * MIB)], { k: 2, n: 3 });
    const sources = sourcePerShare(published);
    flip(at(sources, 0), MIB / 2 + 17);

    const runtime = testRuntime();
    const pool = poolOf(sources, runtime);
    const files = await retrieveAll(pool, published);

    expect(files).toStrictEqual(hashesOf(published));
    expect(at(sources, 2).reads).toStrictEqual([`${pathOf(2)} ${MIB / 2}+${MIB / 2}`]);
    expect(pool.report().map(({ corruptBlocks }) => corruptBlocks)).toStrictEqual([1, 0, 0]);
    expect(runtime.lines.join("\n")).toContain("warn share.refused source=s0");
  });

  it("is read from another source of the same share", async () => {
    const published = await publish([random.bytes(3 * MIB)], { k: 2, n: 2 });
    const sources = [wholeSource("a", published), wholeSource("b", published)];
    flip(at(sources, 0), 17);
    flip(at(sources, 1), MIB + 17);

    const files = await retrieveAll(poolOf(sources), published);

    expect(files).toStrictEqual(hashesOf(published));
  });

  it("is named when no other source has it", async () => {
    const published = await publish([random.bytes(3 * MIB)], { k: 2, n: 2 });
    const source = wholeSource("a", published);
    flip(source, MIB + 17);

    const failure = await failureOf(retrieveAll(poolOf([source]), published));

    expect(failure).toMatchObject({ code: "SHARES_TOO_FEW" });
    expect(failure.message).toBe(
      "duplicity-full.20231114T221320Z.vol1.difftar stripe 2: 0 good shares, 2 needed; " +
        "share 0: BLOCK_CORRUPT at a; share 1: BLOCK_CORRUPT at a",
    );
  });

  it("that was made from blocks that do not fit together is not used", async () => {
    const published = await publish([random.bytes(MIB - 1)], { k: 2, n: 3 });
    const sources = sourcePerShare(published);
    flip(at(sources, 2), 17);
    const parity = at(sources, 2).files.get(pathOf(2)) ?? new Uint8Array();
    published.files[0]?.file.stripes[0]?.blockHashes.set(sha256(parity), 2 * 32);

    expect(await retrieveAll(poolOf(sources), published)).toStrictEqual(hashesOf(published));
    at(sources, 0).files.clear();
    const failure = await failureOf(retrieveAll(poolOf(sources), published));

    expect(failure).toMatchObject({ code: "BLOCK_CORRUPT" });
    expect(failure.message).toContain("share 0 made from shares 1 2 is not the share 0");
  });

  it(`or a failure in any read does no harm (seed ${random.seed})`, async () => {
    const published = await publish([random.bytes(5 * MIB), textOf(2 * MIB)], { k: 4, n: 6 });
    const sources = sourcePerShare(published);
    for (const [share, source] of sources.entries()) {
      const own = new Random(random.seed + share);
      source.fault = (...read) => own.pick([corrupt, unreachable, good, good])(...read);
    }

    const pool = poolOf([...sources, wholeSource("w", published)]);
    const files = await retrieveAll(pool, published, { lookaheadBytes: 3 * MIB });

    expect(files).toStrictEqual(hashesOf(published));
  });
});

describe("ranges", () => {
  const shape = { k: 2, n: 3 };

  it("take the blocks of many small files at once", async () => {
    const published = await publish(
      Array.from({ length: 300 }, (_, number) => textOf(200 + number)),
      shape,
    );
    const source = wholeSource("a", published);

    const files = await retrieveAll(poolOf([source]), published);

    expect(files).toStrictEqual(hashesOf(published));
    expect(source.reads).toHaveLength(2);
  });

  it.each([
    [1024, 2],
    [1032, 6],
  ])("read over gaps of %d bytes with %d requests", async (gapBytes, requests) => {
    const published = await publish([textOf(500), textOf(600), textOf(700)], shape, gapBytes);
    const source = wholeSource("a", published);

    const files = await retrieveAll(poolOf([source]), published);

    expect(files).toStrictEqual(hashesOf(published));
    expect(source.reads).toHaveLength(requests);
  });

  it("are repaired one by one where gaps are large", async () => {
    const published = await publish([textOf(500), random.bytes(1500), textOf(700)], shape);
    const sources = sourcePerShare(published);
    const [first, , third] = published.files;
    flip(at(sources, 0), first?.file.offset ?? 0);
    flip(at(sources, 0), third?.file.offset ?? 0);
    const big = await publish([textOf(500), random.bytes(30_000), textOf(700)], shape);
    const bigSources = sourcePerShare(big);
    flip(at(bigSources, 0), big.files[0]?.file.offset ?? 0);
    flip(at(bigSources, 0), big.files[2]?.file.offset ?? 0);

    expect(await retrieveAll(poolOf(sources), published)).toStrictEqual(hashesOf(published));
    expect(await retrieveAll(poolOf(bigSources), big)).toStrictEqual(hashesOf(big));
    expect(at(sources, 2).reads).toHaveLength(1);
    expect(at(bigSources, 2).reads).toHaveLength(2);
  });

  it("may be asked for backwards and twice", async () => {
    const published = await publish([textOf(500), random.bytes(2 * MIB)], shape);
    const requests = [...allStripes(published)];
    const shuffled = [...requests.toReversed(), ...requests];
    const stripes = await collect(poolOf(sourcePerShare(published)), shuffled);

    expect(stripes.map(({ request }) => request)).toStrictEqual(shuffled);
    expect(stripes.map(({ bytes }) => [...bytes.subarray(0, 8)])).toStrictEqual(
      shuffled.map((request) => [...rawOf(published, request).subarray(0, 8)]),
    );
  });
});

describe("reading ahead", () => {
  const shape = { k: 2, n: 3 };
  const large = publish(
    Array.from({ length: 24 }, () => random.bytes(MIB)),
    shape,
  );

  it("keeps within its memory, and asks for no more than it has room for", async () => {
    const published = await large;
    let pulled = 0;
    function* counted(): Generator<StripeRequest> {
      for (const request of allStripes(published)) {
        pulled++;
        yield request;
      }
    }
    const options = { requests: counted(), lookaheadBytes: 6 * MIB };
    const stripes = retrieve(poolOf(sourcePerShare(published)), options);
    const ahead: number[] = [];
    let taken = 0;
    while ((await stripes.next()).done !== true) ahead.push(pulled - ++taken);

    expect(taken).toBe(24);
    expect(Math.max(...ahead)).toBeLessThanOrEqual(6);
    expect(Math.max(...ahead)).toBeGreaterThanOrEqual(5);
  });

  it("takes few requests, and large ones", async () => {
    const published = await large;
    const sources = sourcePerShare(published);

    await retrieveAll(poolOf(sources), published);

    const sizes = sources.flatMap(({ reads }) => reads).map((read) => Number(read.split("+")[1]));
    expect(sizes.length).toBeLessThanOrEqual(2 * 5);
    expect(Math.max(...sizes)).toBeGreaterThanOrEqual(2.5 * MIB);
  });

  it("asks no source more than six things at once", async () => {
    const published = await large;
    const source = wholeSource("a", published);

    await retrieveAll(poolOf([source]), published, { lookaheadBytes: 12 * MIB });

    expect(source.activeMax).toBe(6);
  });

  it("leaves a source alone that fails, and uses the others", async () => {
    const published = await large;
    const sources = sourcePerShare(published);
    at(sources, 1).fault = unreachable;

    const files = await retrieveAll(poolOf(sources), published, { lookaheadBytes: 2 * MIB });

    expect(files).toStrictEqual(hashesOf(published));
    expect(at(sources, 1).reads.length).toBeLessThanOrEqual(3);
  });

  it("takes what waits for a source elsewhere, once that source has failed", async () => {
    const published = await publish(
      Array.from({ length: 40 }, () => random.bytes(9000)),
      shape,
      5000,
    );
    const sources = sourcePerShare(published);
    let release: () => void = () => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    at(sources, 0).fault = async (...read) => {
      await stuck;
      return unreachable(...read);
    };

    const files = retrieveAll(poolOf(sources), published);
    await expect.poll(() => at(sources, 0).active).toBe(6);
    release();

    expect(await files).toStrictEqual(hashesOf(published));
    expect(at(sources, 0).reads).toHaveLength(6);
  });

  it("leaves a source alone that is wrong again and again, until nothing else is left", async () => {
    const published = await large;
    const sources = sourcePerShare(published);
    let release: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      release = resolve;
    });
    at(sources, 0).fault = async (...read) => {
      await begun;
      return corrupt(...read);
    };
    const runtime = testRuntime();
    const pool = poolOf(sources, runtime);
    const requests = [...allStripes(published)];

    const first = collect(pool, requests.slice(0, 12), { lookaheadBytes: 4 * MIB });
    await expect.poll(() => at(sources, 0).active).toBeGreaterThanOrEqual(3);
    release();
    await first;
    const readsWhenBanned = at(sources, 0).reads.length;
    at(sources, 0).fault = good;
    at(sources, 2).files.clear();
    const rest = await collect(pool, requests.slice(12), { lookaheadBytes: 2 * MIB });

    expect(readsWhenBanned).toBeLessThanOrEqual(4);
    expect(runtime.lines.join("\n")).toContain("error source.banned source=s0");
    expect(rest).toHaveLength(12);
  });

  it("waits for the only source to come back", async () => {
    const published = await publish([textOf(5000)], shape);
    const source = wholeSource("a", published);
    let failures = 4;
    source.fault = (...read) => (failures-- > 0 ? unreachable : good)(...read);

    const files = await retrieveAll(poolOf([source]), published);

    expect(files).toStrictEqual(hashesOf(published));
  });

  it("gives up in the end when nobody can be reached", async () => {
    const published = await publish([textOf(5000)], shape);
    const source = wholeSource("a", published);
    source.fault = unreachable;

    const failure = await failureOf(retrieveAll(poolOf([source]), published));

    expect(failure).toMatchObject({ code: "SHARES_TOO_FEW" });
    expect(failure.message).toContain("0 good shares, 2 needed");
  });
});

describe("sources", () => {
  it("that declare their shares are asked for no others", async () => {
    const published = await publish([random.bytes(2 * MIB)], { k: 2, n: 3 });
    const [a, b] = [wholeSource("a", published), wholeSource("b", published)];
    const pool = new SourcePool({
      sources: [
        { source: a, shares: [2] },
        { source: b, shares: [1] },
      ],
      runtime: testRuntime(),
    });

    const files = await retrieveAll(pool, published);

    expect(files).toStrictEqual(hashesOf(published));
    expect(a.reads.every((read) => read.startsWith(pathOf(2)))).toBe(true);
    expect(b.reads.every((read) => read.startsWith(pathOf(1)))).toBe(true);
  });

  it("that do not are asked once for what they do not hold", async () => {
    const published = await publish([random.bytes(12 * MIB)], { k: 2, n: 3 });
    const sources = published.shares.map((files, share) => new MemorySource(`u${share}`, files));

    const files = await retrieveAll(poolOf(sources), published, { lookaheadBytes: 2 * MIB });

    expect(files).toStrictEqual(hashesOf(published));
    for (const [share, source] of sources.entries()) {
      const vain = source.reads.filter((read) => !read.startsWith(pathOf(share)));
      expect(vain.length).toBeLessThanOrEqual(2);
    }
  });

  it("that there are none of are too few", async () => {
    const published = await publish([textOf(500)], { k: 2, n: 3 });

    const failure = await failureOf(retrieveAll(poolOf([]), published));

    expect(failure.message).toMatch(
      /0 good shares, 2 needed; share 0: at no source; share 1: at no source; share 2: at no source$/,
    );
  });
});

describe("an early end", () => {
  const shape = { k: 2, n: 3 };

  it("by the signal cancels all that is under way", async () => {
    const published = await publish([random.bytes(6 * MIB)], shape);
    const source = wholeSource("a", published);
    source.fault = blackHole;
    const controller = new AbortController();
    const reason = new MirrorError("CANCELLED", "stopped");
    const stripes = retrieve(poolOf([source]), {
      requests: allStripes(published),
      lookaheadBytes: 6 * MIB,
      signal: controller.signal,
    });

    const next = stripes.next();
    await expect.poll(() => source.active).toBe(6);
    controller.abort(reason);

    await expect(next).rejects.toBe(reason);
    expect(source.active).toBe(0);
  });

  it("by the signal between two stripes is noticed at the next", async () => {
    const published = await publish([random.bytes(3 * MIB)], shape);
    const controller = new AbortController();
    const stripes = retrieve(poolOf(sourcePerShare(published)), {
      requests: allStripes(published),
      signal: controller.signal,
    });
    await stripes.next();

    controller.abort(new MirrorError("CANCELLED", "stopped"));

    await expect(stripes.next()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("by a signal that has fired before reads nothing", async () => {
    const published = await publish([textOf(500)], shape);
    const sources = sourcePerShare(published);
    const stripes = retrieve(poolOf(sources), {
      requests: allStripes(published),
      signal: AbortSignal.abort(new MirrorError("CANCELLED", "stopped")),
    });

    await expect(stripes.next()).rejects.toMatchObject({ code: "CANCELLED" });
    expect(sources.flatMap(({ reads }) => reads)).toStrictEqual([]);
  });

  it("by the consumer cancels what is under way, and closes the requests", async () => {
    const published = await publish([random.bytes(6 * MIB)], shape);
    const source = wholeSource("a", published);
    const isFirst = (path: string, offset: number) => offset === 0 && path !== pathOf(2);
    source.fault = (path, range, ...rest) =>
      (isFirst(path, range.offset) ? good : blackHole)(path, range, ...rest);
    let isClosed = false;
    function* closing(): Generator<StripeRequest> {
      try {
        yield* allStripes(published);
      } finally {
        isClosed = true;
      }
    }

    const options = { requests: closing(), lookaheadBytes: 5 * MIB };
    const stripes = retrieve(poolOf([source]), options);
    await stripes.next();
    await stripes.return(undefined);

    expect(source.reads.length).toBeGreaterThan(2);
    expect(source.active).toBe(0);
    expect(isClosed).toBe(true);
  });

  it("by a failure of the requests cancels what is under way", async () => {
    const published = await publish([random.bytes(6 * MIB)], shape);
    const source = wholeSource("a", published);
    source.fault = blackHole;
    function* failing(): Generator<StripeRequest> {
      yield* allStripes(published);
      throw new MirrorError("GAP", "as told");
    }

    const stripes = retrieve(poolOf([source]), { requests: failing() });

    await expect(stripes.next()).rejects.toMatchObject({ code: "GAP" });
    expect(source.active).toBe(0);
  });

  it("by too few shares comes after all the stripes before it", async () => {
    const published = await publish([random.bytes(6 * MIB)], shape);
    const sources = sourcePerShare(published);
    for (const source of sources) flip(source, 2 * MIB + 17);
    const taken: number[] = [];

    const failure = await failureOf(
      (async () => {
        const options = { requests: allStripes(published), lookaheadBytes: 6 * MIB };
        for await (const { request } of retrieve(poolOf(sources), options)) {
          taken.push(request.stripe);
        }
      })(),
    );

    expect(taken).toStrictEqual([0, 1, 2, 3]);
    expect(failure.message).toContain("stripe 4: 0 good shares, 2 needed");
    expect(sources.map(({ active }) => active)).toStrictEqual([0, 0, 0]);
  });
});

interface Options {
  readonly requests: Iterable<StripeRequest>;
  readonly lookaheadBytes?: number;
  readonly signal?: AbortSignal;
}

function retrieve(pool: SourcePool, options: Options) {
  return retrieveStripes({ pool, signal: neverAborted(), ...options });
}

async function collect(
  pool: SourcePool,
  requests: Iterable<StripeRequest>,
  options: Omit<Options, "requests"> = {},
) {
  const stripes: RetrievedStripe[] = [];
  for await (const stripe of retrieve(pool, { requests, ...options })) stripes.push(stripe);
  return stripes;
}

/** The hashes of the published files, put together again. */
async function retrieveAll(
  pool: SourcePool,
  published: Published,
  options: Omit<Options, "requests"> = {},
): Promise<string[]> {
  const stripes = await collect(pool, allStripes(published), options);
  return published.files.map((file) => {
    const own = stripes.filter(({ request }) => request.file === file);
    return hash("sha256", Buffer.concat(own.map(({ bytes }) => bytes)));
  });
}

function hashesOf({ files }: Published): string[] {
  return files.map(({ file }) => Buffer.from(file.hash).toString("hex"));
}

function rawOf({ files, contents }: Published, { file, stripe }: StripeRequest): Uint8Array {
  const bytes = contents[files.indexOf(file)] ?? new Uint8Array();
  return bytes.subarray(stripe * MIB, (stripe + 1) * MIB);
}

async function failureOf(work: Promise<unknown>): Promise<MirrorError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof MirrorError) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

const good: Fault = (_path, _range, bytes) => bytes;

/** Every byte is another one. */
const corrupt: Fault = (_path, _range, bytes) => bytes.map((byte) => byte ^ 0x55);

function withFault(source: MemorySource, fault: Fault): void {
  source.fault = fault;
}

function cutShort(source: MemorySource): void {
  for (const [path, bytes] of source.files) source.files.set(path, bytes.subarray(0, 4));
}

/** Turns one bit of the only file. */
function flip(source: MemorySource, offset: number): void {
  for (const [path, bytes] of source.files) {
    const changed = Uint8Array.from(bytes);
    changed[offset] = (changed[offset] ?? 0) ^ 1;
    source.files.set(path, changed);
  }
}

function textOf(sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, "all work and no play makes a dull mirror; ");
}

function at(sources: readonly MemorySource[], share: number): MemorySource {
  const source = sources[share];
  if (source === undefined) throw new Error(`no source ${share}`);
  return source;
}
