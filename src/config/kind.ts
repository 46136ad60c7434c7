import { MirrorError } from "../errors.js";
import { parseYaml } from "./load.js";

/** Whether `text` is meant as a master's or a replica's config, by the keys that only one of them has. */
export function configKind(text: string, file: string): "master" | "replica" {
  const document = parseYaml(text, file);
  const has = (key: string): boolean => document.hasIn(["mirrors", 0, key]);
  if (["publication", "signing", "repository", "hosts"].some(has)) return "master";
  if (["sources", "trust"].some(has)) return "replica";
  throw new MirrorError(
    "CONFIG_INVALID",
    `${file}:1:1: expected a list of mirrors with sources (replica) or a publication (master)`,
  );
}
