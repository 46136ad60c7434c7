import { askControl } from "../daemon/control-socket.js";
import { MirrorError } from "../errors.js";
import type { CommandContext, CommonOptions } from "./command.js";
import type { ConfigOptions } from "./config-file.js";
import { forEachMirror } from "./each-mirror.js";
import { DONE, exitStatusOfText } from "./exit-status.js";
import { readMasterMirrors } from "./master-mirrors.js";
import { milliseconds } from "./option-values.js";

export interface MasterTriggerOptions extends CommonOptions, ConfigOptions {
  readonly timeout: string;
}

/** Asks the running daemon for a cycle of each mirror, and waits for its end. */
export async function masterTrigger(
  options: MasterTriggerOptions,
  context: CommandContext,
): Promise<number> {
  const timeoutMs = milliseconds("--timeout", options.timeout) ?? 0;
  return forEachMirror(readMasterMirrors(options), context, async ({ name, stateDirectory }) => {
    const answer = await askControl({
      directory: stateDirectory,
      request: "trigger",
      timeoutMs,
      signal: context.signal,
    });
    switch (answer.kind) {
      case "absent":
        throw new MirrorError(
          "PROGRAM_FAILED",
          `${name}: no daemon runs: start \`dupmirror master run\``,
        );
      case "failed":
        context.complainText(`${name}: ${answer.message}`);
        return exitStatusOfText(answer.code);
      case "done":
        if (options.json === true) context.print(JSON.stringify(answer.value));
        else if (options.quiet !== true) context.print(`${name}: cycle done`);
        return DONE;
    }
  });
}
