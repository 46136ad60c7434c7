/** Asks sources for the head and keeps the newest that the trust rules accept. */
import { isMirrorError, MirrorError } from "../errors.js";
import { POLL_GRACE_MS } from "../limits.js";
import { type Head, parseHead } from "../manifest/head.js";
import type { VerifierKey } from "../manifest/keys.js";
import { openNote } from "../manifest/signed-note.js";
import { judgeHead } from "../manifest/trust.js";
import type { Log, Runtime } from "../runtime.js";
import { linkAbort } from "../store/linked-abort.js";
import type { Source } from "../store/source.js";
import { acceptHead, type TrustState } from "./trusted-head.js";

export interface PollOptions {
  readonly mirror: string;
  readonly sources: readonly Source[];
  readonly keys: readonly VerifierKey[];
  readonly state: TrustState;
  /** How long a source that can may wait for a new head before it answers. */
  readonly waitMs?: number;
  /** Takes a head whose time is over, too. */
  readonly mayBeExpired?: boolean;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/**
 * The state with the newest acceptable head; the same state when nothing is new.
 * @throws MirrorError NO_SOURCE when no source answers; SIGNATURE_INVALID, HEAD_INVALID, HEAD_EXPIRED or
 *   HEAD_ROLLBACK when all that answer are refused
 */
export async function pollHead(options: PollOptions): Promise<TrustState> {
  const answers: Answer[] = [];
  for (const group of pollingGroups(options)) {
    answers.push(...(await askTogether(group, options)));
    if (answers.some((answer) => answer.kind === "good")) break;
  }
  const good = answers.filter((answer) => answer.kind === "good");
  if (good.length === 0) throw pickRefusal(answers, options);
  warnOfOthers(answers, options.runtime.log);
  return newest(good, options.state);
}

function warnOfOthers(answers: readonly Answer[], log: Log): void {
  for (const answer of answers) {
    if (answer.kind === "good") continue;
    const { code, message } = answer.error;
    log.warn("head.refused", { source: answer.source.name, code, reason: message });
  }
}

type Answer =
  | { readonly kind: "good"; readonly source: Source; readonly head: Head; readonly etag?: string }
  | { readonly kind: "refused"; readonly source: Source; readonly error: MirrorError }
  | { readonly kind: "silent"; readonly source: Source; readonly error: MirrorError };

/** Asked together, so that one stale source cannot hide a new head; the others only when these fail. */
const POLLED_TOGETHER = 3;

/** Folders cost nothing and are always asked. */
function pollingGroups({ sources, runtime }: PollOptions): Source[][] {
  const near = sources.filter((source) => source.url.startsWith("file:"));
  const far = shuffled(
    sources.filter((source) => !near.includes(source)),
    runtime.random,
  );
  const groups = [[...near, ...far.splice(0, POLLED_TOGETHER)]];
  while (far.length > 0) groups.push(far.splice(0, POLLED_TOGETHER));
  return groups;
}

/** Once one has answered, the others have little time left: what hangs must not hold up what is known. */
async function askTogether(group: readonly Source[], options: PollOptions): Promise<Answer[]> {
  const asking = linkAbort(options.signal);
  let grace: NodeJS.Timeout | undefined;
  const heard = (answer: Answer): Answer => {
    if (grace !== undefined || !isEnough(answer, options)) return answer;
    const message = `no answer ${POLL_GRACE_MS} ms after ${answer.source.name} gave one`;
    const giveUp = (): void => asking.abort(new MirrorError("SOURCE_TIMEOUT", message));
    grace = setTimeout(giveUp, POLL_GRACE_MS);
    return answer;
  };
  const limited = { ...options, signal: asking.signal };
  try {
    return await Promise.all(group.map(async (source) => heard(await ask(source, limited))));
  } finally {
    clearTimeout(grace);
    asking.unlink();
  }
}

/** Of sources that are to hold their answers back until there is news, only news is. */
function isEnough(answer: Answer, { state, waitMs }: PollOptions): boolean {
  if (answer.kind !== "good") return false;
  const before = state.trusted?.head;
  return waitMs === undefined || before === undefined || isNewer(answer.head, before);
}

async function ask(source: Source, options: PollOptions): Promise<Answer> {
  const { state, runtime, waitMs, signal } = options;
  const etag = state.etags.get(source.url);
  try {
    const answer = await source.readHead({
      ...(etag === undefined ? {} : { etag }),
      ...(waitMs === undefined ? {} : { waitMs }),
      signal,
    });
    const now = runtime.clock.now();
    const head = answer === undefined ? state.trusted?.head : openHead(answer.bytes, options);
    if (head === undefined) {
      throw new MirrorError(
        "SOURCE_INVALID",
        `${source.name}: says unchanged of a head never read`,
      );
    }
    const { mirror, mayBeExpired = false } = options;
    judgeHead({ head, trusted: state.trusted, mirror, now, mayBeExpired });
    const given = answer === undefined ? etag : answer.etag;
    return { kind: "good", source, head, ...(given === undefined ? {} : { etag: given }) };
  } catch (error) {
    if (!isMirrorError(error) || error.code === "CANCELLED") throw error;
    return { kind: REFUSALS.has(error.code) ? "refused" : "silent", source, error };
  }
}

function openHead(note: Uint8Array, { keys }: PollOptions): Head {
  return parseHead(openNote(note, keys));
}

function newest(good: readonly (Answer & { kind: "good" })[], state: TrustState): TrustState {
  let best: Head | undefined;
  for (const { head } of good) {
    if (best === undefined || isNewer(head, best)) best = head;
  }
  if (best === undefined) return state;
  const etags = new Map<string, string>();
  for (const { source, head, etag } of good) {
    const isBest = head.session === best.session && head.generation === best.generation;
    if (isBest && etag !== undefined) etags.set(source.url, etag);
  }
  const before = state.trusted?.head;
  const isKnown = before?.session === best.session && before.generation === best.generation;
  if (isKnown && [...etags].every(([url, etag]) => state.etags.get(url) === etag)) return state;
  const kept = isKnown ? new Map([...state.etags, ...etags]) : etags;
  return isKnown ? { ...state, etags: kept } : acceptHead(state, best, kept);
}

function isNewer(a: Head, b: Head): boolean {
  if (a.session === b.session) return a.generation > b.generation;
  return a.publishedAt > b.publishedAt;
}

/** What counts as an answer that must not be believed, as against no answer. */
const REFUSALS: ReadonlySet<string> = new Set([
  "SIGNATURE_INVALID",
  "HEAD_INVALID",
  "HEAD_EXPIRED",
  "HEAD_ROLLBACK",
]);

function pickRefusal(answers: readonly Answer[], { sources }: PollOptions): MirrorError {
  const refused = answers.find((answer) => answer.kind === "refused");
  if (refused?.kind === "refused") {
    const { code, message } = refused.error;
    return new MirrorError(code, `${refused.source.name}: ${message}`, { cause: refused.error });
  }
  const reasons = answers.map((answer) =>
    answer.kind === "good" ? "" : `${answer.source.name}: ${answer.error.message}`,
  );
  return new MirrorError(
    "NO_SOURCE",
    `no source gave a head (${sources.length} asked): ${reasons.join("; ")}`,
  );
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
