/** Runs the built command as an operator does. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect } from "vitest";
import { z } from "zod";

/** What the command runs. */
export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface CliResult {
  /** Absent when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

interface CliOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs `dupmirror <words>` to its end, however it ends. */
export async function dupmirror(
  words: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const result = await execa(process.execPath, [MAIN, ...words], {
    reject: false,
    stdin: "ignore",
    timeout: options.timeoutMs ?? 60_000,
    env: { ...options.environment },
  });
  if (result.timedOut)
    throw new Error(`dupmirror ${words.join(" ")} took too long:\n${result.stderr}`);
  return {
    exitCode: result.exitCode,
    signal: result.signal,
    stdout: result.stdout,
    stderr: result.stderr,
  };
}

/** Runs `dupmirror <words>`, which must succeed. */
export async function dupmirrorWorks(
  words: readonly string[],
  options?: CliOptions,
): Promise<CliResult> {
  const result = await dupmirror(words, options);
  expect(result, `dupmirror ${words.join(" ")}`).toMatchObject({ exitCode: 0 });
  return result;
}

export interface RunningCommand {
  readonly processId: number;
  kill(signal: NodeJS.Signals): void;
  /** What it has said on stderr so far. */
  log(): string;
  readonly ended: Promise<CliResult>;
}

/** Starts `dupmirror <words>` and leaves it running; the caller ends it. It dies with the test process. */
export function startDupmirror(
  words: readonly string[],
  options: Pick<CliOptions, "environment"> = {},
): RunningCommand {
  const child = execa(process.execPath, [MAIN, ...words], {
    reject: false,
    stdin: "ignore",
    env: { ...options.environment },
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  return {
    processId: child.pid ?? -1,
    kill: (signal) => void child.kill(signal),
    log: () => log,
    ended: child.then(({ exitCode, signal, stdout, stderr }) => ({
      exitCode,
      signal,
      stdout,
      stderr,
    })),
  };
}

/** One line on stderr that says `message`, this exit code, no stack trace. */
export function expectRefusal(
  result: CliResult,
  refusal: { readonly exitCode: number; readonly message: RegExp },
): void {
  expect(result.stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(refusal.message)]);
  expect(result.exitCode).toBe(refusal.exitCode);
}

const Counts = z.record(z.string(), z.number().nonnegative());
const Position = z.looseObject({ session: z.string(), chain: z.number(), set: z.string() });

const SyncReport = z.looseObject({
  strategy: z.enum(["none", "follow", "rebase", "fresh"]),
  positionBefore: Position.optional(),
  positionAfter: Position.optional(),
  files: z.looseObject({ written: z.number(), patched: z.number(), deleted: z.number() }),
  bytes: Counts,
  requests: Counts,
  sources: z.array(z.looseObject({ url: z.string(), bytes: z.number(), requests: z.number() })),
  seconds: Counts,
});

export type SyncReport = z.infer<typeof SyncReport>;

/** What `replica sync --json` printed: one object. */
export function parseSyncReport(result: CliResult): SyncReport {
  return SyncReport.parse(JSON.parse(result.stdout));
}
