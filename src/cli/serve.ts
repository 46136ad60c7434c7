import path from "node:path";
import { serveFolders } from "../daemon/static-server.js";
import { isFolder } from "../disk/served-file.js";
import { MirrorError } from "../errors.js";
import type { CommandContext, CommonOptions } from "./command.js";
import { DONE } from "./exit-status.js";
import { address } from "./option-values.js";

export interface ServeOptions extends CommonOptions {
  readonly folder: string;
  readonly listen: string;
}

/** Serves one publication, or one host's folder, as a source at `/` until it is told to stop. */
export async function serve(options: ServeOptions, context: CommandContext): Promise<number> {
  const { runtime, signal } = context;
  const folder = path.resolve(options.folder);
  if (!isFolder(folder)) throw new MirrorError("USAGE", `${folder} is not a folder`);
  const server = await serveFolders({
    listen: address("--listen", options.listen),
    folders: new Map([["", folder]]),
    runtime,
    signal,
  });
  if (options.json === true) context.print(JSON.stringify({ url: server.url }));
  else if (options.quiet !== true) context.print(`serving ${folder} at ${server.url}`);
  await aborted(signal);
  await server.close();
  return DONE;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
