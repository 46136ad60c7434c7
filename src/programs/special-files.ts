/** Fifos and devices, which node cannot make. */
import { MirrorError } from "../errors.js";
import { runProgram } from "./run.js";

export interface Device {
  readonly type: "characterDevice" | "blockDevice";
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
}

/** Makes a fifo. Of its mode, set-id and execute bits are left to do. @throws MirrorError PROGRAM_MISSING, PROGRAM_FAILED */
export async function makeFifo(
  hostPath: Uint8Array,
  mode: number,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await makeSpecial(["mkfifo", "--"], { words: [hostPath], mode, signal: options.signal });
}

/** Makes a device, which needs root. Of its mode, set-id and execute bits are left to do. @throws as `makeFifo` */
export async function makeDevice(
  hostPath: Uint8Array,
  device: Device,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { type, major, minor, mode } = device;
  const numbers = [type === "blockDevice" ? "b" : "c", String(major), String(minor)];
  const words = [hostPath, ...numbers.map((word) => Buffer.from(word))];
  await makeSpecial(["mknod", "--"], { words, mode, signal: options.signal });
}

/**
 * Node passes arguments as UTF-8 only, xargs passes them as they are. The mode comes by umask: the programs'
 * own option changes it afterwards, by name.
 */
async function makeSpecial(
  command: readonly string[],
  options: {
    readonly words: readonly Uint8Array[];
    readonly mode: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const umask = (~options.mode & 0o777).toString(8);
  const { exitCode, stderr } = await runProgram({
    program: "sh",
    arguments: ["-c", 'umask "$1" && shift && exec xargs -0 "$@"', "sh", umask, ...command],
    stdin: Buffer.concat(options.words.flatMap((word) => [word, END_OF_WORD])),
    timeoutMs: TIMEOUT_MS,
    signal: options.signal,
  });
  if (exitCode === 0) return;
  throw new MirrorError("PROGRAM_FAILED", stderr.trim());
}

const END_OF_WORD = Uint8Array.of(0);

const TIMEOUT_MS = 30_000;
