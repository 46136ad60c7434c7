/** Brings hosts to what a head names, in the order of the publication itself: blocks and tables, ledgers, and the head last. */
import { equalBytes } from "../bytes/digest.js";
import { MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES } from "../limits.js";
import type { Head } from "../manifest/head.js";
import type { SigningKey } from "../manifest/keys.js";
import { HEAD_PATH, KEY_PATH, packPath, STREAMS } from "../manifest/paths.js";
import type { Runtime } from "../runtime.js";
import type { Host } from "../store/host.js";
import { beginFilling, isKnown, readFilled, writeFilled } from "./filled.js";
import { findMissing } from "./held.js";
import { openOwnHead } from "./own-head.js";
import { countBytes, planPush } from "./plan-push.js";
import type { Publication } from "./publication.js";
import { putFile } from "./put-file.js";
import { type PackEnds, readEnds } from "./stream-end.js";

/** A host and the shares it holds. */
export interface ShareHost {
  readonly host: Host;
  readonly shares: readonly number[];
}

export interface PushOptions {
  readonly publication: Publication;
  readonly stateDirectory: string;
  readonly key: SigningKey;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/**
 * Copies to the host all that `target` names and the host does not hold. The host's head stays as it is.
 * @param onMissing told how many bytes are still to be put, as far as that is known
 */
export async function fillHost(
  { host, shares }: ShareHost,
  target: Head,
  options: PushOptions & { readonly onMissing: (bytes: number) => void },
): Promise<void> {
  const { publication, stateDirectory, onMissing, runtime, signal } = options;
  const filled = readFilled(stateDirectory, host.name);
  const plan = (held: Head | undefined) => planPush({ publication, shares, target, held, signal });
  onMissing(countBytes(await plan(filled)));
  await reach(host, options);
  const held = filled ?? (await readHostHead(host, options));
  const isWhole = held !== undefined && (await hasNewestPacks({ host, shares }, held, options));
  const steps = await plan(isWhole ? held : undefined);
  const put = { folder: publication.folder, random: runtime.random, signal };
  let missingBytes = countBytes(steps);
  onMissing(missingBytes);
  for (const { files, ledger } of steps) {
    for (const file of [...files, ledger]) {
      await putFile(host, file, put);
      missingBytes -= file.sizeBytes - file.heldBytes;
      onMissing(missingBytes);
    }
  }
  if (steps.length > 0) writeFilled(stateDirectory, host.name, target);
}

/** Tells the host's readers of what it was filled with, and by which key they know it. */
export async function announceAt(
  host: Host,
  { key, head }: { readonly key: Uint8Array; readonly head: Uint8Array },
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await putWhole(host, KEY_PATH, key, options);
  await putWhole(host, HEAD_PATH, head, options);
}

async function putWhole(
  host: Host,
  file: string,
  bytes: Uint8Array,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  if (await hasBytes(host, file, bytes, options)) return;
  await host.replace(file, bytes, options);
  if (await hasBytes(host, file, bytes, options)) return;
  throw new MirrorError("SOURCE_INVALID", `${file}: what is there is not what was put`);
}

async function hasBytes(
  host: Host,
  file: string,
  bytes: Uint8Array,
  options: { readonly signal: AbortSignal },
): Promise<boolean> {
  if ((await host.size(file, options)) !== bytes.length) return false;
  const range = { offset: 0, sizeBytes: bytes.length };
  return equalBytes(await host.read(file, range, options), bytes);
}

/**
 * The folder of a new host is made. That of a host we wrote to before is a mount that is missing when it is not there:
 * nothing must be written below it.
 */
async function reach(host: Host, options: PushOptions): Promise<void> {
  const { stateDirectory, signal } = options;
  await checkMount(host, options);
  if (isKnown(stateDirectory, host.name)) return;
  await host.make({ signal });
  beginFilling(stateDirectory, host.name);
}

/** @throws MirrorError SOURCE_UNREACHABLE when the folder of a host that we wrote to is not there */
export async function checkMount(
  host: Host,
  { stateDirectory, signal }: Pick<PushOptions, "stateDirectory" | "signal">,
): Promise<void> {
  if (!isKnown(stateDirectory, host.name) || (await host.isMade({ signal }))) return;
  const what = "its folder is not there any more: mount it, or make it if the host is another one";
  throw new MirrorError("SOURCE_UNREACHABLE", `host ${host.name}: ${what}`);
}

/** The host's head when it is one that we signed; any other says nothing of what the host holds. */
async function readHostHead(
  host: Host,
  { publication, key, signal }: PushOptions,
): Promise<Head | undefined> {
  const sizeBytes = await host.size(HEAD_PATH, { signal });
  if (sizeBytes === undefined || sizeBytes > HEAD_MAX_BYTES) return undefined;
  const bytes = await host.read(HEAD_PATH, { offset: 0, sizeBytes }, { signal });
  const head = openOwnHead(bytes, key);
  return head?.session === publication.session ? head : undefined;
}

/** Whether the last pack of each share and chain is as long as `held` says: a host that was emptied is filled anew. */
async function hasNewestPacks(
  { host, shares }: ShareHost,
  held: Head,
  options: PushOptions,
): Promise<boolean> {
  const { publication } = options;
  const publicationPlace = { publication: publication.folder, session: publication.session };
  for (const { chain, to } of findMissing(publication.chains, held, undefined)) {
    const line = chain.lines[to - 1];
    if (line === undefined) return false;
    const ends = await readEnds(publicationPlace, line, options);
    for (const share of shares.filter((number) => number < line.shape.n)) {
      const place = { share, session: publication.session, chain: chain.chain };
      if (!(await hasPacks(host, place, { ends, ...options }))) return false;
    }
  }
  return true;
}

async function hasPacks(
  host: Host,
  place: { readonly share: number; readonly session: string; readonly chain: number },
  { ends, signal }: { readonly ends: PackEnds; readonly signal: AbortSignal },
): Promise<boolean> {
  for (const stream of STREAMS) {
    const { pack, offset } = ends[stream];
    const sizeBytes = await host.size(packPath({ ...place, stream, pack }), { signal });
    if ((sizeBytes ?? 0) < offset) return false;
  }
  return true;
}

/** Whether the shares that `hosts` hold together are as many as a head needs. @throws MirrorError HOSTS_TOO_FEW */
export function verifyShares(
  hosts: readonly ShareHost[],
  wanted: { readonly k: number; readonly n: number; readonly margin: number },
  failures: readonly string[],
): void {
  const { k, n, margin } = wanted;
  const held = new Set(hosts.flatMap(({ shares }) => shares));
  const needed = Math.min(n, k + margin);
  if (held.size >= needed) return;
  const there = [...held].toSorted((a, b) => a - b).join(", ") || "none";
  throw new MirrorError(
    "HOSTS_TOO_FEW",
    `${held.size} shares of ${n} are at hosts (${there}), ${needed} are needed before the head is published; ` +
      `nothing is lost, the next cycle goes on: ${failures.join("; ")}`,
  );
}
