import type { CliResult, RunningCommand } from "./cli.js";

/** Kills the command with SIGKILL once `delayMs` have gone by, unless it ends first. */
export async function killAfter(command: RunningCommand, delayMs: number): Promise<CliResult> {
  const timer = setTimeout(() => command.kill("SIGKILL"), delayMs);
  const result = await command.ended;
  clearTimeout(timer);
  return result;
}
