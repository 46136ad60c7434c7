/**
 * Which heads a replica believes. Rule 1, that a known key has signed the head, is `openNote`'s; rule 2, its form and
 * sizes, is `parseHead`'s; rule 9, that the ledger continues ours, is `joinLedger`'s. docs/formats.md lists all of them.
 */
import { equalBytes } from "../bytes/digest.js";
import { MirrorError } from "../errors.js";
import { findLedger, formatHead, type Head } from "./head.js";

/** The last head that was believed, and every session that came before its own. */
export interface TrustedHead {
  readonly head: Head;
  readonly retiredSessions: readonly string[];
}

/** `same`: what is trusted already, word for word. */
export type Verdict = "new" | "same";

/** @throws MirrorError HEAD_INVALID, HEAD_EXPIRED or HEAD_ROLLBACK, naming what was expected */
export function judgeHead(options: {
  readonly head: Head;
  readonly trusted: TrustedHead | undefined;
  readonly mirror: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Rule 4 does not hold: somebody knows that no newer head will come. */
  readonly mayBeExpired?: boolean;
}): Verdict {
  const { head, trusted, mirror, now, mayBeExpired = false } = options;
  checkMirror(head, mirror);
  const verdict = trusted === undefined ? "new" : judgeSuccessor(head, trusted);
  if (!mayBeExpired) checkExpiry(head, now);
  return verdict;
}

function judgeSuccessor(head: Head, trusted: TrustedHead): Verdict {
  if (head.session !== trusted.head.session) {
    checkNewSession(head, trusted);
    return "new";
  }
  checkGeneration(head, trusted.head);
  if (head.generation === trusted.head.generation) {
    checkIdentical(head, trusted.head);
    return "same";
  }
  checkLedgersGrow(head, trusted.head);
  return "new";
}

/** Rule 3: the head is of the mirror that was asked for. */
function checkMirror(head: Head, mirror: string): void {
  if (head.mirror === mirror) return;
  refuse("HEAD_INVALID", `it is of mirror ${head.mirror}, expected ${mirror}`);
}

/** Rule 4: the head has not expired. A source that keeps showing an old head is noticed by this. */
function checkExpiry(head: Head, now: number): void {
  if (now < head.expiresAt) return;
  const expired = new Date(head.expiresAt).toISOString();
  const advice = "is the master running, and is this machine's clock right?";
  refuse("HEAD_EXPIRED", `generation ${head.generation} expired at ${expired}: ${advice}`);
}

/** Rule 5: a session that was left never comes back, and a new one is published later than all we know. */
function checkNewSession(head: Head, { head: last, retiredSessions }: TrustedHead): void {
  if (retiredSessions.includes(head.session)) {
    refuse("HEAD_ROLLBACK", `session ${head.session} was given up for ${last.session}`);
  }
  if (head.publishedAt <= last.publishedAt) {
    const times = [head.publishedAt, last.publishedAt].map((time) => new Date(time).toISOString());
    refuse("HEAD_ROLLBACK", `its new session was published at ${times.join(", not after ")}`);
  }
}

/** Rule 6: within a session generations never fall. */
function checkGeneration(head: Head, last: Head): void {
  if (head.generation >= last.generation) return;
  const generations = `generation ${head.generation} is older than ${last.generation}`;
  refuse("HEAD_ROLLBACK", `${generations}, which was seen before`);
}

/** Rule 7: a generation is published once. */
function checkIdentical(head: Head, last: Head): void {
  if (equalBytes(formatHead(head), formatHead(last))) return;
  refuse("HEAD_INVALID", `there are two different heads of generation ${head.generation}`);
}

/** Rule 8: a chain's ledger only grows while it is retained. */
function checkLedgersGrow(head: Head, last: Head): void {
  for (const { chain, sizeBytes, lastLineHash } of last.ledgers) {
    const now = findLedger(head, chain);
    if (now === undefined || now.sizeBytes > sizeBytes) continue;
    if (now.sizeBytes === sizeBytes && now.lastLineHash === lastLineHash) continue;
    refuse("HEAD_INVALID", `the ledger of chain ${chain} was cut or written anew`);
  }
}

function refuse(code: "HEAD_INVALID" | "HEAD_EXPIRED" | "HEAD_ROLLBACK", why: string): never {
  throw new MirrorError(code, `the head is refused: ${why}`);
}
