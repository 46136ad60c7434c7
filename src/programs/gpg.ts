import { MirrorError } from "../errors.js";
import { type ProgramResult, runProgram } from "./run.js";

/** What gpg decrypts with. */
export interface GpgSecrets {
  /** GnuPG's folder of keys, for nobody else to read. */
  readonly home: string;
  /** Handed over through a pipe; without one gpg never asks. */
  readonly passphrase: Uint8Array | undefined;
}

/**
 * Decrypts `from` into the new file `to`. Only when this returns has the message been whole and unchanged: what
 * stands in `to` before must not be used.
 * @throws MirrorError DECRYPTION_FAILED, DISK_SPACE, PROGRAM_MISSING, PROGRAM_FAILED (time limit)
 */
export async function decryptFile(options: {
  readonly from: string;
  readonly to: string;
  /** What `from` is, for whoever reads of a failure. */
  readonly what: string;
  readonly secrets: GpgSecrets;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { from, to, what, secrets, timeoutMs, signal } = options;
  const { passphrase, home } = secrets;
  const result = await runProgram({
    program: "gpg",
    arguments: [
      ...["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--disable-dirmngr"],
      ...(passphrase === undefined ? [] : ["--passphrase-fd", "0"]),
      ...["--output", to, "--decrypt", from],
    ],
    environment: { GNUPGHOME: home },
    timeoutMs,
    ...(passphrase === undefined ? {} : { stdin: passphrase }),
    signal,
  });
  if (result.exitCode !== 0) throw failure(what, result);
}

/** Ends the agent that gpg may have started for the keys in `home`; it would keep them, and outlive us. */
export async function stopAgent(
  home: string,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await runProgram({
    program: "gpgconf",
    arguments: ["--kill", "gpg-agent"],
    environment: { GNUPGHOME: home },
    timeoutMs: STOP_TIMEOUT_MS,
    signal: options.signal,
  });
}

/** It only sends a signal. */
const STOP_TIMEOUT_MS = 30_000;

function failure(what: string, { stderr, exitCode }: ProgramResult): MirrorError {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const telling = lines.findLast((line) => TELLING.test(line)) ?? lines.at(-1);
  const why = telling?.replace(/^gpg: /, "").trim() ?? `exit status ${exitCode}`;
  if (NO_SPACE.test(stderr)) return new MirrorError("DISK_SPACE", `${what}: gpg: ${why}`);
  return new MirrorError(
    "DECRYPTION_FAILED",
    `${what} cannot be decrypted: gpg: ${why}; are decryption.passphraseFile and decryption.gnupgHome right?`,
  );
}

/** Of all that gpg says in English, the line that says what is wrong. */
const TELLING = /failed|can't|manipulated|fatal|no secret key/i;
const NO_SPACE = /No space left on device|Disk quota exceeded/;
