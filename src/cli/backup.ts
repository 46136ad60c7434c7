import { fingerprintKey } from "../manifest/keys.js";
import { publishOnce } from "../master/cycle.js";
import { refuseForeignHosts } from "../master/foreign-hosts.js";
import { readSigningKey } from "../master/signing-key.js";
import { type BackupSettings, openBackup } from "./backup-state.js";
import type { CommandContext } from "./command.js";
import { DONE } from "./exit-status.js";
import { formatPublishReport } from "./publish-text.js";

export interface BackupOptions extends BackupSettings {
  readonly full?: boolean;
}

/** One cycle of a master whose state the command keeps itself. */
export async function backup(options: BackupOptions, context: CommandContext): Promise<number> {
  const { runtime, signal, print } = context;
  const config = openBackup(options, context);
  await refuseForeignHosts(config, { runtime, signal });
  const report = await publishOnce({ config, runtime, signal, full: options.full === true });
  const fingerprint = fingerprintKey(readSigningKey(config.signing.keyFile).verifier);
  const { k, n } = config.shares;
  if (options.json === true) print(JSON.stringify({ ...report, shares: { k, n }, fingerprint }));
  else if (options.quiet !== true) {
    print(formatPublishReport(report));
    print(`  any ${k} of ${n} shares restore it; key ${fingerprint}`);
  }
  return DONE;
}
