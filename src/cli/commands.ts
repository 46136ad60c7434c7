/** Every command with its arguments; the code of each is loaded when it is called. */
import type { Command } from "commander";
import { addBackupCommands } from "./backup-commands.js";
import { addAction, logFormatOption, type Run } from "./command-options.js";
import type { ConfigCheckOptions } from "./config-check.js";
import type { DemoOptions } from "./demo.js";
import type { InitMasterOptions } from "./init-master.js";
import type { InitReplicaOptions } from "./init-replica.js";
import type { KeyGenerateOptions } from "./key-generate.js";
import { addMasterCommands } from "./master-commands.js";
import { addReplicaCommands } from "./replica-commands.js";
import type { ServeOptions } from "./serve.js";
import { VERSION } from "./version.js";

export function addCommands(program: Command, run: Run): void {
  program
    .description(
      "Follow a master tree that is published as a duplicity repository, cut into shares on many sources.",
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "dupmirror: ")),
    })
    .showSuggestionAfterError(false)
    .enablePositionalOptions();
  const master = program.command("master").description("publish a tree");
  const replica = program.command("replica").description("follow a published tree");
  addInit(program.command("init").description("write the config of a master or a replica"), run);
  addMasterCommands(master, run);
  addReplicaCommands(replica, run);
  addBackupCommands(program, run);
  addServe(program, run);
  addKey(program.command("key").description("signing keys"), run);
  addConfig(program.command("config").description("configuration files"), run);
  addDemo(program, run);
}

function addInit(init: Command, run: Run): void {
  addAction(init, "master", "write a master's config, keys and folders; print its replicas' config")
    .requiredOption("--tree <folder>", "the tree to publish")
    .requiredOption("--dir <folder>", "where config, keys and folders go")
    .option("--name <name>", "name of the mirror", "pub")
    .option("--k <number>", "shares that suffice")
    .option("--n <number>", "shares that there are")
    .option("--listen <address>", "serve the publication over HTTP at HOST:PORT")
    .action(async (options: InitMasterOptions) => {
      const { initMaster } = await import("./init-master.js");
      await run(initMaster, options);
    });
  addAction(init, "replica", "write a replica's config")
    .requiredOption("--tree <folder>", "where the mirrored tree is to be")
    .requiredOption("--dir <folder>", "where config and state go")
    .requiredOption("--source <url...>", "http(s), unix or file URLs of sources")
    .requiredOption("--key <file>", "the master's public key")
    .option("--name <name>", "name of the mirror (default: the key's)")
    .action(async (options: InitReplicaOptions) => {
      const { initReplica } = await import("./init-replica.js");
      await run(initReplica, options);
    });
}

function addServe(program: Command, run: Run): void {
  addAction(program, "serve", "serve a publication, or a host's folder, as a source over HTTP")
    .argument("<folder>")
    .requiredOption(
      "--listen <address>",
      "HOST:PORT, where port 0 lets the system choose, or unix:PATH",
    )
    .addOption(logFormatOption())
    .action(async (folder: string, options: Omit<ServeOptions, "folder">) => {
      const { serve } = await import("./serve.js");
      await run(serve, { ...options, folder }, true);
    });
}

function addKey(key: Command, run: Run): void {
  addAction(key, "generate", "make NAME.key, which signs, and NAME.pub, which replicas need")
    .argument("<name>")
    .option("--out <folder>", "where both go", ".")
    .action(async (name: string, options: Omit<KeyGenerateOptions, "name">) => {
      const { generateKey } = await import("./key-generate.js");
      await run(generateKey, { ...options, name });
    });
}

function addConfig(config: Command, run: Run): void {
  addAction(config, "check", "check a config, and the keys and schedules in it")
    .argument("<file>")
    .action(async (file: string, options: Omit<ConfigCheckOptions, "file">) => {
      const { checkConfig } = await import("./config-check.js");
      await run(checkConfig, { ...options, file });
    });
}

function addDemo(program: Command, run: Run): void {
  addAction(
    program,
    "demo",
    "a master, three sources and a replica on this machine; one source is killed",
  )
    .argument("[tree]", "a tree to publish (default: one that the demo makes)")
    .action(async (tree: string | undefined, options: Omit<DemoOptions, "tree">) => {
      const { demo } = await import("./demo.js");
      await run(demo, { ...options, ...(tree === undefined ? {} : { tree }) });
    });
}
