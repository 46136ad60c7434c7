import { reassemble } from "../replica/reassemble.js";
import type { CommandContext } from "./command.js";
import { DONE } from "./exit-status.js";
import { type RecoveryOptions, recover } from "./recovery.js";
import { formatKey, formatReassembleReport } from "./recovery-text.js";

/** Puts a duplicity repository together again of what hosts hold. */
export async function reassembleRepository(
  options: RecoveryOptions & { readonly out: string },
  context: CommandContext,
): Promise<number> {
  const { signal, print } = context;
  return await recover(options, context, async (recovery) => {
    const { config, fingerprint, isKeyOnTrust, failures } = recovery;
    const report = await reassemble({ ...recovery, signal });
    if (options.json === true) {
      print(
        JSON.stringify({ ...report, repository: config.tree, fingerprint, isKeyOnTrust, failures }),
      );
    } else if (options.quiet !== true) {
      print(formatReassembleReport(report, recovery));
      print(formatKey(recovery));
    }
    return DONE;
  });
}
