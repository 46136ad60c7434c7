/** From `-c FILE` to the mirrors that a command works on. */
import { readFileIfPresent } from "../disk/files.js";
import { MirrorError } from "../errors.js";

export interface ConfigOptions {
  readonly config: string;
  /** Name of the one mirror to work on. */
  readonly mirror?: string;
}

/** @throws MirrorError CONFIG_INVALID */
export function readConfigText(file: string): string {
  const bytes = readFileIfPresent(file);
  if (bytes === undefined) throw new MirrorError("CONFIG_INVALID", `${file}: no such file`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MirrorError("CONFIG_INVALID", `${file}: expected UTF-8 text`, { cause });
  }
}

/** All mirrors of the config, or the one that is named. @throws MirrorError USAGE */
export function chooseMirrors<Mirror extends { readonly name: string }>(
  mirrors: readonly Mirror[],
  options: ConfigOptions,
): readonly Mirror[] {
  if (options.mirror === undefined) return mirrors;
  const chosen = mirrors.filter(({ name }) => name === options.mirror);
  if (chosen.length > 0) return chosen;
  const names = mirrors.map(({ name }) => name).join(", ");
  throw new MirrorError("USAGE", `${options.config} has no mirror ${options.mirror}, but ${names}`);
}
