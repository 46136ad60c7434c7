import type { CommandContext } from "../../src/cli/command.js";

/** A command's world in which what it prints is kept. */
export function openTestContext(): { readonly context: CommandContext; readonly lines: string[] } {
  const lines: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const context: CommandContext = {
    runtime: {
      clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
      log,
      random: () => 0.5,
      progress: () => undefined,
    },
    signal: new AbortController().signal,
    stop: () => undefined,
    print: (line) => lines.push(line),
    complain: () => 1,
    complainText: (message) => lines.push(message),
    script: "",
    environment: {},
  };
  return { context, lines };
}
