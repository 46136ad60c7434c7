/** The walk-through: a backup that is spread over hosts, and what is made of those that are left. */
import type { Command } from "commander";
import type { BackupOptions } from "./backup.js";
import { addAction, addLimitOptions, collectOption, type Run } from "./command-options.js";
import { addAccessOptions } from "./host-access.js";
import { splitHosts } from "./host-list.js";
import { required } from "./option-values.js";
import type { RecoveryOptions } from "./recovery.js";
import type { RestoreOptions } from "./restore.js";

export function addBackupCommands(program: Command, run: Run): void {
  addBackup(program, run);
  addRestore(program, run);
  addReassemble(program, run);
}

function addBackup(program: Command, run: Run): void {
  const description = "back a tree up with duplicity, and spread it over hosts in shares";
  const command = addAction(program, "backup", description)
    .argument("[tree]")
    .option("--hosts <where...>", "folders or URLs; host i holds share i (default: as before)")
    .option("-k <number>", "how many shares restore everything")
    .option("-n <number>", "how many shares there are (default: one for each host)")
    .option("--full", "begin a new chain with a full set; otherwise only the first set is full")
    .option("--keep <chains>", "how many chains are kept (default: 10)")
    .option("--exclude <pattern>", "duplicity's pattern; may be repeated", collectOption)
    .option("--allow-fewer-hosts", "even if n - k lost hosts are then too many")
    .option("--state <folder>", "what the next backup needs, see below")
    .option("--name <name>", "name of the backup (default: the last part of the tree's path)");
  addAccessOptions(command)
    .addHelpText("after", BACKUP_HELP)
    .action(async (tree: string | undefined, options: Omit<BackupOptions, "tree">) => {
      const { backup } = await import("./backup.js");
      const given = splitHosts(options.hosts ?? [], tree);
      await run(backup, {
        ...options,
        hosts: given.hosts,
        tree: required("the tree to back up", given.last),
      });
    });
}

function addRestore(program: Command, run: Run): void {
  addRecovery(program, "restore", "make a tree of a backup, or of any publication, from hosts")
    .argument("[out]", "an empty folder, or one that is not there")
    .option("--at <time>", "a time (the newest set not after it), or a set; default: the newest")
    .option("--list", "list the sets instead")
    .option("--passphrase-file <file>", "of a publication that is encrypted")
    .option("--gnupg-home <folder>", "the same, with a secret key")
    .action(async (out: string | undefined, options: RestoreOptions & { list?: boolean }) => {
      const { listRestorable, restore } = await import("./restore.js");
      if (options.list === true) {
        await run(listRestorable, options);
        return;
      }
      const given = splitHosts(options.hosts, out);
      const place = required("the folder to restore to", given.last);
      await run(restore, { ...options, hosts: given.hosts, out: place });
    });
}

function addReassemble(program: Command, run: Run): void {
  addRecovery(
    program,
    "reassemble",
    "put the duplicity repository together again, all chains of it",
  )
    .argument("[repository]", "an empty folder, one that is not there, or the same unfinished")
    .action(async (out: string | undefined, options: RecoveryOptions) => {
      const { reassembleRepository } = await import("./reassemble.js");
      const given = splitHosts(options.hosts, out);
      const place = required("the folder of the repository", given.last);
      await run(reassembleRepository, { ...options, hosts: given.hosts, out: place });
    });
}

function addRecovery(program: Command, name: string, description: string): Command {
  const command = addAction(program, name, description)
    .requiredOption("--hosts <where...>", "folders or URLs of the hosts that are left")
    .option("--key <file>", "the public key of the backup (default: see below)")
    .option("--state <folder>", "the state of the backup, when this machine has it elsewhere")
    .option("--allow-expired", "take what a master published that is no more, however old");
  return addLimitOptions(addAccessOptions(command)).addHelpText("after", RECOVERY_HELP);
}

const RECOVERY_HELP = `
Any n - k hosts may be gone. A call that was cut off is finished by the next one with the same words.
Without --key the key of the state folder is taken, where this machine makes the backup; elsewhere that
which the hosts show, if they all show the same: its fingerprint, which \`backup\` prints too, is told.`;

const BACKUP_HELP = `
The first backup names hosts and k; later ones add an increment and need only the tree. What a later one
names anew (hosts, -k, -n, --keep, --exclude, access) holds from then on; the other options of the
hosts stay as they are. A host that is new is filled with its share of all that was backed up before.
The state folder, by default $XDG_STATE_HOME/dupmirror/backup/NAME (or ~/.local/state/...), holds the
settings (master.yaml, as \`dupmirror master\` reads it), the key that signs, duplicity's own archive
and repository, and all n shares, so that a host that was lost can be filled again: about 1 + n/k
times what the backup has in volumes. No restore needs it, but without it a backup begins anew, on other hosts.`;
