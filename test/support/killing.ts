import { readdirSync, readFileSync } from "node:fs";
import type { CliResult, RunningCommand } from "./cli.js";

/** Kills the command with SIGKILL once `delayMs` have gone by, unless it ends first. */
export async function killAfter(command: RunningCommand, delayMs: number): Promise<CliResult> {
  const timer = setTimeout(() => command.kill("SIGKILL"), delayMs);
  const result = await command.ended;
  clearTimeout(timer);
  return result;
}

/** The command does nothing while `use` runs. */
export function whileStopped<T>(command: RunningCommand, use: () => T): T {
  command.kill("SIGSTOP");
  while (!hasStopped(command.processId));
  try {
    return use();
  } finally {
    command.kill("SIGCONT");
  }
}

/** Every thread of it, also one that the signal found waiting for a disk; or it has ended. */
function hasStopped(processId: number): boolean {
  const tasks = `/proc/${processId}/task`;
  let names: string[];
  try {
    names = readdirSync(tasks);
  } catch {
    return true;
  }
  return names.every((task) => "TZX".includes(stateOf(`${tasks}/${task}/stat`)));
}

/** One letter (proc_pid_stat(5)); a thread that is gone, or goes while it is looked at, is as good as dead. */
function stateOf(file: string): string {
  let stat: string;
  try {
    stat = readFileSync(file, "latin1");
  } catch {
    return "X";
  }
  return stat.charAt(stat.lastIndexOf(")") + 2);
}
