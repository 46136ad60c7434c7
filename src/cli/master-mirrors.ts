import { loadMasterConfig, type MasterMirror } from "../config/master.js";
import { type ConfigOptions, chooseMirrors, readConfigText } from "./config-file.js";

/** @throws MirrorError CONFIG_INVALID, USAGE */
export function readMasterMirrors(options: ConfigOptions): readonly MasterMirror[] {
  const { mirrors } = loadMasterConfig(readConfigText(options.config), options.config);
  return chooseMirrors(mirrors, options);
}
