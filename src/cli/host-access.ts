/** Who we are to hosts that are web servers, and whom we believe: files that the command line names, never secrets themselves. */
import path from "node:path";
import type { Command } from "commander";

export interface HostAccessOptions {
  readonly user?: string;
  readonly passwordFile?: string;
  readonly bearerFile?: string;
  readonly caFile?: string;
}

export function addAccessOptions(command: Command): Command {
  return command
    .option("--user <name>", "name at hosts that are web servers")
    .option("--password-file <file>", "file that holds the password of --user")
    .option("--bearer-file <file>", "file that holds a token for hosts that are web servers")
    .option("--ca-file <file>", "PEM file of the only authorities that https hosts may be of");
}

/** The keys of a host's, or a source's, section in a config. */
export function accessSection(options: HostAccessOptions, url: string): Record<string, unknown> {
  const auth = {
    ...(options.user === undefined ? {} : { user: options.user }),
    ...fileOf("passwordFile", options.passwordFile),
    ...fileOf("bearerFile", options.bearerFile),
  };
  const tls = fileOf("caFile", options.caFile);
  const hasAuth = Object.keys(auth).length > 0 && !url.startsWith("file:");
  const hasTls = Object.keys(tls).length > 0 && url.startsWith("https:");
  return { ...(hasAuth ? { auth } : {}), ...(hasTls ? { tls } : {}) };
}

export function hasAccess({ user, passwordFile, bearerFile, caFile }: HostAccessOptions): boolean {
  return [user, passwordFile, bearerFile, caFile].some((value) => value !== undefined);
}

function fileOf(key: string, file: string | undefined): Record<string, string> {
  return file === undefined ? {} : { [key]: path.resolve(file) };
}
