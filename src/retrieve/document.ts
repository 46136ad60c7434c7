import { isMirrorError, MirrorError } from "../errors.js";
import type { ByteRange } from "../store/source.js";
import type { PooledRead, PoolMember } from "./pool-member.js";
import type { SourcePool } from "./source-pool.js";

export interface DocumentRequest<T> {
  readonly path: string;
  readonly range: ByteRange;
  /** Throws a `MirrorError` when the bytes are not what was published: another source is asked then. */
  readonly check: (bytes: Uint8Array) => T | Promise<T>;
  readonly signal: AbortSignal;
}

/**
 * What `check` makes of the first good answer; sources are asked one after the other, best first.
 * @throws MirrorError NO_SOURCE when none gave the bytes; what `check` threw when some did and none was good
 */
export async function readDocument<T>(pool: SourcePool, request: DocumentRequest<T>): Promise<T> {
  const failures: Failure[] = [];
  for (const member of pool.ranked(request.path, request.range)) {
    const answer = await attempt(member, request, false);
    if (answer.kind === "good") return answer.value;
    failures.push(answer);
  }
  for (const { member } of failures.filter(({ error }) => isPassing(error))) {
    const answer = await attempt(member, request, true);
    if (answer.kind === "good") return answer.value;
    failures.push(answer);
  }
  throw finalError(request.path, failures);
}

interface Failure {
  /** `refused`: the source gave bytes, and `check` did not want them. */
  readonly kind: "failed" | "refused";
  readonly member: PoolMember;
  readonly error: MirrorError;
}

async function attempt<T>(
  member: PoolMember,
  { path, range, check, signal }: DocumentRequest<T>,
  isPatient: boolean,
): Promise<Failure | { readonly kind: "good"; readonly value: T }> {
  const wanted: PooledRead = { path, range, isPatient, signal };
  let bytes: Uint8Array | undefined;
  try {
    bytes = await member.read(wanted);
    return { kind: "good", value: await check(bytes) };
  } catch (error) {
    signal.throwIfAborted();
    if (!isMirrorError(error)) throw error;
    if (bytes === undefined) return { kind: "failed", member, error };
    member.refuse(wanted, error.code, 1);
    return { kind: "refused", member, error };
  }
}

function isPassing(error: MirrorError): boolean {
  return isMirrorError(error, "SOURCE_UNREACHABLE", "SOURCE_TIMEOUT");
}

function finalError(path: string, failures: readonly Failure[]): MirrorError {
  const refused = failures.find(({ kind }) => kind === "refused");
  const told = failures.map(({ member, error }) => `${member.source.name}: ${error.message}`);
  const cause = new AggregateError(
    failures.map(({ error }) => error),
    told.join("; "),
  );
  if (refused === undefined) {
    const why = told.length === 0 ? "there are no sources" : told.join("; ");
    return new MirrorError("NO_SOURCE", `no source gives ${path}: ${why}`, { cause });
  }
  const { member, error } = refused;
  return new MirrorError(error.code, `${path} from ${member.source.name}: ${error.message}`, {
    cause,
  });
}
