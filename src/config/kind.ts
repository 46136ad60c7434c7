import { parseDocument } from "yaml";
import { MirrorError } from "../errors.js";

/** Whether `text` is meant as a master's or a replica's config, by the keys that only one of them has. */
export function configKind(text: string, file: string): "master" | "replica" {
  const document = parseDocument(text, { prettyErrors: false });
  const has = (key: string): boolean => document.hasIn(["mirrors", 0, key]);
  if (["publication", "signing", "repository", "hosts"].some(has)) return "master";
  if (["sources", "trust"].some(has)) return "replica";
  throw new MirrorError(
    "CONFIG_INVALID",
    `${file}:1:1: expected a list of mirrors with sources (replica) or a publication (master)`,
  );
}
