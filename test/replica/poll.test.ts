import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { POLL_GRACE_MS } from "../../src/limits.js";
import { formatHead, type Head } from "../../src/manifest/head.js";
import { makeKeyPair, parseSigningKey, parseVerifierKey } from "../../src/manifest/keys.js";
import { signNote } from "../../src/manifest/signed-note.js";
import { pollHead } from "../../src/replica/poll.js";
import { NOTHING_TRUSTED, type TrustState } from "../../src/replica/trusted-head.js";
import { testRuntime } from "./support/bench.js";
import { KEYS } from "./support/publication.js";
import { HeadSource } from "./support/sources.js";

const NOW = 1_700_000_000_000;
const OTHERS = makeKeyPair("test", new Uint8Array(32).fill(8));
const SESSION = "11111111-2222-4333-8444-555555555555";
const NEXT_SESSION = "21111111-2222-4333-8444-555555555555";
const HASH = "A".repeat(43);

describe("of the heads of several sources", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("the newest is taken: a stale source hides nothing", async () => {
    const sources = [
      new HeadSource("stale", note(head(3))),
      new HeadSource("fresh", note(head(5))),
      new HeadSource("older", note(head(4))),
    ];
    expect(generation(await poll(sources))).toBe(5);
  });

  test("one that is refused or silent does no harm to the others, and is told", async () => {
    const runtime = testRuntime(NOW);
    const sources = [
      new HeadSource("forged", note(head(9), OTHERS.signingKey)),
      new HeadSource("down", undefined),
      new HeadSource("good", note(head(5))),
    ];
    expect(generation(await poll(sources, NOTHING_TRUSTED, { runtime }))).toBe(5);
    expect(runtime.logged.map(({ fields }) => [fields?.["source"], fields?.["code"]])).toEqual([
      ["forged", "SIGNATURE_INVALID"],
      ["down", "SOURCE_UNREACHABLE"],
    ]);
  });

  test("what hangs is given up soon after one has answered, and told", async () => {
    const runtime = testRuntime(NOW);
    const hung = new HeadSource("hung", undefined);
    hung.readHead = async ({ signal }) => {
      await once(signal, "abort");
      throw signal.reason;
    };

    const polling = poll([hung, new HeadSource("good", note(head(5)))], undefined, { runtime });
    await vi.advanceTimersByTimeAsync(POLL_GRACE_MS);

    expect(generation(await polling)).toBe(5);
    expect(runtime.logged.map(({ fields }) => fields)).toMatchObject([
      { source: "hung", code: "SOURCE_TIMEOUT", reason: "no answer 2000 ms after good gave one" },
    ]);
  });

  test("that hold their answers back, one that says nothing new ends the wait for no other", async () => {
    const [prompt, holding] = [
      new HeadSource("prompt", note(head(5)), "v5"),
      new HeadSource("holding", note(head(5)), "w5"),
    ];
    const state = await poll([prompt, holding]);
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    holding.readHead = async ({ signal }) => {
      await Promise.race([held, once(signal, "abort")]);
      signal.throwIfAborted();
      return { bytes: note(head(6)) };
    };

    const next = poll([prompt, holding], state, { waitMs: 50_000 });
    await vi.advanceTimersByTimeAsync(10 * POLL_GRACE_MS);
    answer();

    expect(generation(await next)).toBe(6);
  });

  test("of a later session the later published counts, whatever its number", async () => {
    const later = { session: NEXT_SESSION, publishedAt: NOW + 5000 };
    const sources = [
      new HeadSource("old", note(head(7))),
      new HeadSource("new", note(head(1, later))),
    ];
    const state = await poll(sources, await trusting(head(6)));
    expect(state.trusted?.head.session).toBe(NEXT_SESSION);
    expect(state.trusted?.retiredSessions).toEqual([SESSION]);
  });

  test("only as many are asked as it takes", async () => {
    const sources = Array.from({ length: 7 }, (_, at) => {
      return new HeadSource(`s${at}`, at < 3 ? undefined : note(head(5)));
    });
    expect(generation(await poll(sources))).toBe(5);
    expect(sources.map(({ asked }) => asked.length)).toEqual([1, 1, 1, 1, 1, 1, 0]);
  });
});

describe("a head is refused", () => {
  test.each<[string, Partial<Head>, string]>([
    ["when it is older than the trusted one", { generation: 4 }, "HEAD_ROLLBACK"],
    [
      "when it differs from the trusted one of its number",
      { sources: someSources() },
      "HEAD_INVALID",
    ],
    [
      "when it has expired",
      { generation: 6, publishedAt: NOW - DAY, expiresAt: NOW },
      "HEAD_EXPIRED",
    ],
    ["when it is of another mirror", { generation: 6, mirror: "other" }, "HEAD_INVALID"],
    [
      "when it is of a session published earlier",
      { session: NEXT_SESSION, publishedAt: NOW - 5000 },
      "HEAD_ROLLBACK",
    ],
  ])("%s", async (_, changes, code) => {
    const sources = [new HeadSource("a", note(head(5, changes)))];
    await expect(poll(sources, await trusting(head(5)))).rejects.toMatchObject({ code });
  });

  test("when a key that is not known has signed it", async () => {
    const sources = [new HeadSource("a", note(head(5), OTHERS.signingKey))];
    await expect(poll(sources)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  test("when it is no head", async () => {
    const sources = [new HeadSource("a", Buffer.from("<html>"))];
    await expect(poll(sources)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  test("when the session was given up before", async () => {
    const state = await trusting(head(5));
    const later = head(1, { session: NEXT_SESSION, publishedAt: NOW + 5000 });
    const moved = await poll([new HeadSource("a", note(later))], state);
    const back = head(9, { publishedAt: NOW + 9000 });
    await expect(poll([new HeadSource("a", note(back))], moved)).rejects.toMatchObject({
      code: "HEAD_ROLLBACK",
    });
  });
});

test("without an answer from any source there is none", async () => {
  const sources = [new HeadSource("a", undefined), new HeadSource("b", undefined)];
  await expect(poll(sources)).rejects.toMatchObject({ code: "NO_SOURCE" });
  await expect(poll([])).rejects.toMatchObject({ code: "NO_SOURCE" });
});

describe("an unchanged head", () => {
  test("leaves the state as it is, and the source is asked with its validator", async () => {
    const source = new HeadSource("a", note(head(5)), "v5");
    const state = await poll([source]);
    expect([...state.etags]).toEqual([[source.url, "v5"]]);
    expect(await poll([source], state)).toBe(state);
    expect(source.asked.map(({ etag }) => etag)).toEqual([undefined, "v5"]);
  });

  test("expires all the same", async () => {
    const source = new HeadSource("a", note(head(5)), "v5");
    const state = await poll([source]);
    const runtime = testRuntime(NOW + 2 * DAY);
    await expect(poll([source], state, { runtime })).rejects.toMatchObject({
      code: "HEAD_EXPIRED",
    });
  });

  test("of one source does not hide the new one of another", async () => {
    const stale = new HeadSource("stale", note(head(5)), "v5");
    const fresh = new HeadSource("fresh", note(head(5)), "w5");
    const state = await poll([stale, fresh]);
    fresh.head = note(head(6));
    fresh.etag = "w6";
    const next = await poll([stale, fresh], state);
    expect(generation(next)).toBe(6);
    expect([...next.etags]).toEqual([[fresh.url, "w6"]]);
  });

  test("that was never read is not believed", async () => {
    const liar = new HeadSource("liar", note(head(5)), "v5");
    const state: TrustState = { ...NOTHING_TRUSTED, etags: new Map([[liar.url, "v5"]]) };
    await expect(poll([liar], state)).rejects.toMatchObject({ code: "NO_SOURCE" });
  });

  test("remembers the validator of a source that gives it later", async () => {
    const first = new HeadSource("a", note(head(5)), "v5");
    const state = await poll([first]);
    const second = new HeadSource("b", note(head(5)), "w5");
    const next = await poll([first, second], state);
    expect(next.trusted).toBe(state.trusted);
    expect(new Map(next.etags)).toEqual(
      new Map([
        [first.url, "v5"],
        [second.url, "w5"],
      ]),
    );
  });
});

test("a key that an accepted head announces is kept with it", async () => {
  const announcing = head(5, { nextKey: OTHERS.verifierKey });
  const state = await poll([new HeadSource("a", note(announcing))]);
  expect(state.keys).toEqual([OTHERS.verifierKey]);
});

test("a cancelled poll throws the reason, not a refusal", async () => {
  const controller = new AbortController();
  const source = new HeadSource("a", note(head(5)));
  const reason = new Error("stop");
  source.readHead = () => Promise.reject(reason);
  controller.abort(reason);
  await expect(poll([source], NOTHING_TRUSTED, { signal: controller.signal })).rejects.toBe(reason);
});

const DAY = 86_400_000;

function someSources() {
  return [{ name: "x", url: "https://x.example", shares: [0] }];
}

function head(generation: number, changes: Partial<Head> = {}): Head {
  return {
    mirror: "test",
    session: SESSION,
    generation,
    publishedAt: NOW,
    expiresAt: NOW + DAY,
    newest: { chain: 1000, set: { kind: "full", time: 1000 } },
    ledgers: [{ chain: 1000, sizeBytes: 100, lastLineHash: HASH }],
    sources: [],
    ...changes,
  };
}

function note(of: Head, signingKey = KEYS.signingKey): Uint8Array {
  return signNote(formatHead(of), parseSigningKey(signingKey));
}

function trusting(of: Head): Promise<TrustState> {
  return poll([new HeadSource("trusted", note(of))]);
}

async function poll(
  sources: readonly HeadSource[],
  state: TrustState = NOTHING_TRUSTED,
  {
    runtime = testRuntime(NOW),
    signal = new AbortController().signal,
    waitMs,
  }: {
    runtime?: ReturnType<typeof testRuntime>;
    signal?: AbortSignal;
    waitMs?: number;
  } = {},
): Promise<TrustState> {
  const keys = [parseVerifierKey(KEYS.verifierKey)];
  const wait = waitMs === undefined ? {} : { waitMs };
  return await pollHead({ mirror: "test", sources, keys, state, runtime, signal, ...wait });
}

function generation(state: TrustState): number | undefined {
  return state.trusted?.head.generation;
}
