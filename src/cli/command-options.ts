/** The options that several commands share. */
import { type Command, Option } from "commander";
import type { Command as Action, CommonOptions } from "./command.js";
import { EXIT_STATUS_HELP } from "./exit-status.js";

/** Calls a command; `isDaemon`: it stays until it is told to stop. */
export type Run = <Options extends CommonOptions>(
  command: Action<Options>,
  options: Options,
  isDaemon?: boolean,
) => Promise<void>;

/** A command that does something, with the options that all such commands have. */
export function addAction(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .option("-v, --verbose", "tell more")
    .option("-q, --quiet", "tell only errors")
    .option("--json", "print facts as JSON on stdout")
    .addHelpText("after", EXIT_STATUS_HELP);
}

export function addConfigOptions(command: Command, defaultFile: string): Command {
  return command
    .option("-c, --config <file>", "configuration file", defaultFile)
    .option("-m, --mirror <name>", "work on this mirror only");
}

export function logFormatOption(): Option {
  return new Option("--log-format <format>", "lines of the log").choices(["text", "json"]);
}

/** An option that may be given several times. */
export function collectOption(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** rsync's spellings. */
export function addLimitOptions(command: Command): Command {
  return command
    .option(
      "--bwlimit <rate>",
      'KiB per second, a rate such as 10MiB, or a timetable "08:00,512K 18:00,off"',
    )
    .option("--timeout <seconds>", "give a silent source up after so long");
}
