import type { HostSettings, MasterMirror } from "../config/master.js";
import { isMirrorError, MirrorError } from "../errors.js";
import { HEAD_MAX_BYTES } from "../limits.js";
import { parseHead } from "../manifest/head.js";
import type { SigningKey } from "../manifest/keys.js";
import { HEAD_PATH } from "../manifest/paths.js";
import { openNote } from "../manifest/signed-note.js";
import type { Runtime } from "../runtime.js";
import { openHost } from "../store/open-host.js";
import { readSigningKey } from "./signing-key.js";

/**
 * Looks whether a host holds what another master published: a head of ours would be the end of it.
 * A host that cannot be read is the cycle's to tell of.
 * @throws MirrorError SIGNATURE_INVALID, HEAD_INVALID
 */
export async function refuseForeignHosts(
  config: MasterMirror,
  options: { readonly runtime: Runtime; readonly signal: AbortSignal },
): Promise<void> {
  const key = readSigningKey(config.signing.keyFile);
  for (const settings of config.hosts) {
    const head = await readHead(settings, options);
    if (head !== undefined) checkOurs(head, { settings, mirror: config.name, key });
  }
}

async function readHead(
  settings: HostSettings,
  { runtime, signal }: { readonly runtime: Runtime; readonly signal: AbortSignal },
): Promise<Uint8Array | undefined> {
  const host = openHost({ ...settings, runtime });
  try {
    const sizeBytes = await host.size(HEAD_PATH, { signal });
    if (sizeBytes === undefined) return undefined;
    const range = { offset: 0, sizeBytes: Math.min(sizeBytes, HEAD_MAX_BYTES) };
    return await host.read(HEAD_PATH, range, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!isMirrorError(error)) throw error;
    return undefined;
  } finally {
    await host.close();
  }
}

function checkOurs(
  head: Uint8Array,
  expected: { readonly settings: HostSettings; readonly mirror: string; readonly key: SigningKey },
): void {
  const { settings, mirror, key } = expected;
  const refuse = (error: MirrorError): never => {
    const advice =
      "nothing was written there; name another place, or go on with the state directory of what it holds";
    const message = `host ${settings.url} holds the publication of another master (${error.message}): ${advice}`;
    throw new MirrorError(error.code, message, { cause: error });
  };
  try {
    const there = parseHead(openNote(head, [key.verifier]));
    if (there.mirror === mirror) return;
    throw new MirrorError("HEAD_INVALID", `it is of mirror ${there.mirror}`);
  } catch (error) {
    if (!isMirrorError(error)) throw error;
    refuse(error);
  }
}
