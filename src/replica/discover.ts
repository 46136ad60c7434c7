/**
 * What sources say of themselves to somebody who knows no more than where they are: which mirror they hold, and by which
 * key its heads are known.
 */
import type { ReplicaMirror } from "../config/replica.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { type Head, parseHead } from "../manifest/head.js";
import {
  fingerprintKey,
  formatVerifierKey,
  parseVerifierKey,
  type VerifierKey,
  verifierKeySize,
} from "../manifest/keys.js";
import { KEY_PATH } from "../manifest/paths.js";
import { openNote, type Signer, signersOf } from "../manifest/signed-note.js";
import type { Runtime } from "../runtime.js";
import type { Source } from "../store/source.js";
import { SourceShelf } from "./sources.js";

export interface DiscoverOptions {
  /** Only what it says of sources counts. */
  readonly config: ReplicaMirror;
  /** The keys that are known to sign for one of `signers`; none: whatever the sources show is taken. */
  readonly findKeys: (signers: readonly Signer[]) => readonly VerifierKey[];
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

export interface Discovery {
  readonly mirror: string;
  readonly key: VerifierKey;
  /** Nobody vouches for the key but the sources themselves. */
  readonly isOnTrust: boolean;
  /** Sources that gave no good head. */
  readonly failures: readonly SourceFailure[];
}

export interface SourceFailure {
  readonly url: string;
  readonly reason: string;
}

/**
 * @throws MirrorError NO_SOURCE when none answers, SIGNATURE_INVALID or HEAD_INVALID when no head that they show is to be believed or
 *   they show different keys, KEY_INVALID when they show none
 */
export async function discover(options: DiscoverOptions): Promise<Discovery> {
  const { config, runtime } = options;
  const shelf = new SourceShelf(config, runtime);
  try {
    return await ask(shelf.sources(undefined), options);
  } finally {
    await shelf.close();
  }
}

async function ask(sources: readonly Source[], options: DiscoverOptions): Promise<Discovery> {
  const answers = await Promise.all(sources.map((source) => askOne(source, options)));
  const good = answers.filter((answer) => answer.kind === "note");
  const silent = answers.flatMap((answer) => (answer.kind === "failed" ? [answer] : []));
  if (good.length === 0) throw nothingFound(silent);
  const known = options.findKeys(good.flatMap(({ signers }) => signers));
  const keys = known.length > 0 ? known : [await readKey(good, options)];
  const heads = good.map((note) => openHead(note, keys));
  const found = heads.flatMap((head) => (head.kind === "head" ? [head] : []));
  const newest = found.toSorted((a, b) => b.head.publishedAt - a.head.publishedAt)[0];
  const refused = heads.flatMap((head) => (head.kind === "failed" ? [head] : []));
  if (newest === undefined) throw nothingFound([...refused, ...silent], known);
  return {
    mirror: newest.head.mirror,
    key: newest.key,
    isOnTrust: known.length === 0,
    failures: [...refused, ...silent].map(({ source, error }) => {
      return { url: source.url, reason: error.message };
    }),
  };
}

interface Note {
  readonly kind: "note";
  readonly source: Source;
  readonly bytes: Uint8Array;
  readonly signers: readonly Signer[];
}

interface Failed {
  readonly kind: "failed";
  readonly source: Source;
  readonly error: MirrorError;
}

async function askOne(source: Source, { signal }: DiscoverOptions): Promise<Note | Failed> {
  try {
    const answer = await source.readHead({ signal });
    if (answer === undefined) {
      throw new MirrorError("SOURCE_INVALID", "says unchanged of a head never read");
    }
    return { kind: "note", source, bytes: answer.bytes, signers: signersOf(answer.bytes) };
  } catch (error) {
    signal.throwIfAborted();
    if (!isMirrorError(error)) throw error;
    return { kind: "failed", source, error };
  }
}

/** The one key that all sources show which show one. */
async function readKey(notes: readonly Note[], options: DiscoverOptions): Promise<VerifierKey> {
  const shown = (await Promise.all(notes.map((note) => readKeysOf(note, options)))).flat();
  const [first] = shown;
  if (first === undefined) {
    const advice = "give the public key with --key";
    throw new MirrorError("KEY_INVALID", `no host shows ${KEY_PATH} of its head: ${advice}`);
  }
  if (shown.every(({ key }) => formatVerifierKey(key) === formatVerifierKey(first.key))) {
    return first.key;
  }
  const told = shown.map(({ key, source }) => `${source.url}: ${fingerprintKey(key)}`);
  const message = `the hosts show different keys; give the right one with --key: ${told.join("; ")}`;
  throw new MirrorError("SIGNATURE_INVALID", message);
}

/** A key that has not signed the head beside it, or that a host does not have, is none. */
async function readKeysOf(
  { source, bytes, signers }: Note,
  { signal }: DiscoverOptions,
): Promise<{ readonly source: Source; readonly key: VerifierKey }[]> {
  const keys: { readonly source: Source; readonly key: VerifierKey }[] = [];
  for (const { name } of signers) {
    try {
      const range = { offset: 0, sizeBytes: verifierKeySize(name) };
      const text = await source.read(KEY_PATH, range, { signal });
      const key = parseVerifierKey(new TextDecoder().decode(text));
      openNote(bytes, [key]);
      keys.push({ source, key });
    } catch (error) {
      signal.throwIfAborted();
      if (!isMirrorError(error)) throw error;
    }
  }
  return keys;
}

function openHead(
  { source, bytes, signers }: Note,
  keys: readonly VerifierKey[],
): Failed | { readonly kind: "head"; readonly head: Head; readonly key: VerifierKey } {
  try {
    const head = parseHead(openNote(bytes, keys));
    const key = keys.find(({ name }) => signers.some((signer) => signer.name === name));
    if (key === undefined) throw new RangeError("a note that was opened is signed by a known key");
    return { kind: "head", head, key };
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    return { kind: "failed", source, error };
  }
}

/** What was refused says more than what was silent. */
function nothingFound(
  failures: readonly Failed[],
  known: readonly VerifierKey[] = [],
): MirrorError {
  const refusal = failures.find(({ error }) =>
    isMirrorError(error, "SIGNATURE_INVALID", "HEAD_INVALID"),
  );
  const code = refusal?.error.code ?? "NO_SOURCE";
  const why = failures.map(describe).join("; ");
  const keys = known.map((key) => `${key.name} ${fingerprintKey(key)}`).join(", ");
  const advice = keys === "" ? "" : `; the key that is known here is ${keys}: --key names another`;
  const message = `no host gives a head to be believed: ${why}${advice}`;
  return new MirrorError(code, message, { cause: refusal?.error });
}

function describe({ source, error }: Failed): string {
  return `${source.url}: ${error.message}`;
}
