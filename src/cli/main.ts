/** The command line: arguments in, exit status out. Only this folder reads argv and the environment, or exits. */
import { Command, CommanderError } from "commander";
import { listenForStop, type StopSignals } from "../daemon/signals.js";
import { isMirrorError } from "../errors.js";
import { addCommands } from "./commands.js";
import { complain } from "./complain.js";
import { openContext } from "./context.js";
import { DONE, FAILED, stopStatusOf, USAGE } from "./exit-status.js";

process.stdout.on("error", () => process.exit(DONE)); // whoever read us has seen enough
process.exitCode = FAILED; // should nothing be left to wait for before the end
void main().then((status) => process.exit(status));

async function main(): Promise<number> {
  const stop = listenForStop();
  let status = DONE;
  let end = (): void => undefined;
  const program = new Command("dupmirror");
  addCommands(program, async (command, options, isDaemon = false) => {
    const open = await openContext({ options, stop, isDaemon });
    end = open.end;
    status = await command(options, open.context);
  });
  try {
    await program.parseAsync();
  } catch (error) {
    status = statusOf(error, stop, end);
  }
  end();
  return stop.received === undefined ? status : stopStatusOf(stop.received);
}

function statusOf(error: unknown, stop: StopSignals, end: () => void): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : USAGE;
  if (isMirrorError(error, "CANCELLED") && stop.signal.aborted) return DONE;
  end();
  const verbose = process.argv.includes("-v") || process.argv.includes("--verbose");
  return complain(error, { verbose, write: (text) => void process.stderr.write(text) });
}
