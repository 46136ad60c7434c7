/** gpg with the secrets that the replica was given. */
import path from "node:path";
import type { ReplicaMirror } from "../config/replica.js";
import { makeFolder } from "../disk/durable.js";
import { fileIdentity, readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";
import { DECRYPT_MIN_BYTES_PER_MS, DECRYPT_START_MS } from "../limits.js";
import { decryptFile, type GpgSecrets, stopAgent } from "../programs/gpg.js";
import type { Log } from "../runtime.js";

export class Decryptor {
  readonly #mirror: ReplicaMirror;
  /** Where keys are looked for when the mirror names no other place. */
  readonly #emptyHome: string;
  readonly #log: Log;
  #secrets: GpgSecrets | undefined;

  /** @param workFolder the cycle's own, which is there when something is decrypted */
  constructor(mirror: ReplicaMirror, workFolder: string, log: Log) {
    this.#mirror = mirror;
    this.#emptyHome = path.join(workFolder, "gnupg");
    this.#log = log;
  }

  /**
   * Decrypts the file `from` into the new file `to`.
   * @param options.what the name of the published file
   * @throws MirrorError CONFIG_INVALID, DECRYPTION_FAILED, DISK_SPACE, PROGRAM_MISSING, PROGRAM_FAILED
   */
  async decrypt(options: {
    readonly from: string;
    readonly to: string;
    readonly what: string;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const secrets = this.readSecrets(options.what);
    const sizeBytes = fileIdentity(options.from)?.sizeBytes ?? 0;
    const timeoutMs = DECRYPT_START_MS + sizeBytes / DECRYPT_MIN_BYTES_PER_MS;
    await decryptFile({ ...options, secrets, timeoutMs });
  }

  /** Reads them once. @throws MirrorError CONFIG_INVALID when there are none to decrypt `what` with */
  readSecrets(what: string): GpgSecrets {
    this.#secrets ??= { home: this.#home(what), passphrase: this.#passphrase() };
    return this.#secrets;
  }

  /** Leaves no agent of gpg running. */
  async close(): Promise<void> {
    const { passphrase, home } = this.#secrets ?? {};
    if (home === undefined || (home === this.#emptyHome && passphrase !== undefined)) return;
    const signal = AbortSignal.timeout(AGENT_STOP_MS);
    await stopAgent(home, { signal }).catch((error: unknown) => {
      this.#log.warn("agent.running", { home, reason: String(error) });
    });
  }

  #home(what: string): string {
    const { name, decryption } = this.#mirror;
    if (decryption === undefined) {
      throw new MirrorError(
        "CONFIG_INVALID",
        `${what} is encrypted: give mirror ${name} in the replica's config a section ` +
          "`decryption` with `passphraseFile: FILE`, `gnupgHome: DIR` or both",
      );
    }
    const { gnupgHome } = decryption;
    if (gnupgHome === undefined) makeFolder(this.#emptyHome, 0o700);
    else if (fileIdentity(gnupgHome) === undefined) {
      throw new MirrorError("CONFIG_INVALID", `decryption.gnupgHome ${gnupgHome}: no such folder`);
    }
    return gnupgHome ?? this.#emptyHome;
  }

  /** The file's first line. */
  #passphrase(): Uint8Array | undefined {
    const file = this.#mirror.decryption?.passphraseFile;
    if (file === undefined) return undefined;
    const bytes = readFileIfPresent(file);
    const why = bytes === undefined ? "no such file" : "its first line is empty";
    const end = bytes?.indexOf(LINE_FEED) ?? 0;
    const passphrase = end < 0 ? bytes : bytes?.subarray(0, end);
    if (passphrase !== undefined && passphrase.length > 0) return passphrase;
    throw new MirrorError("CONFIG_INVALID", `decryption.passphraseFile ${file}: ${why}`);
  }
}

const LINE_FEED = 0x0a;

/** The cycle is over: whatever hangs now shall not hold up the next one for long. */
const AGENT_STOP_MS = 10_000;
