import { randomBytes } from "node:crypto";
import path from "node:path";
import type { CommandContext, CommonOptions } from "./command.js";
import { DONE } from "./exit-status.js";
import { writeKeyPair } from "./new-files.js";

export interface KeyGenerateOptions extends CommonOptions {
  readonly name: string;
  readonly out: string;
}

/** Makes NAME.key, which signs and stays secret, and NAME.pub, which every replica needs. */
export async function generateKey(
  options: KeyGenerateOptions,
  context: CommandContext,
): Promise<number> {
  const pair = writeKeyPair({
    folder: path.resolve(options.out),
    name: options.name,
    seed: randomBytes(32),
  });
  if (options.json === true) context.print(JSON.stringify(pair));
  else if (options.quiet !== true) context.print(pair.verifierKey);
  return Promise.resolve(DONE);
}
