import { fileURLToPath } from "node:url";
import { MirrorError } from "../errors.js";
import type { Runtime } from "../runtime.js";
import { FileHost } from "./file-host.js";
import type { Host } from "./host.js";
import { parseStoreUrl } from "./store-url.js";

export interface OpenHostOptions {
  readonly name: string;
  readonly url: string;
  readonly runtime: Runtime;
}

/** Nothing is touched yet. @throws MirrorError CONFIG_INVALID, UNSUPPORTED */
export function openHost({ name, url }: OpenHostOptions): Host {
  const { protocol } = parseStoreUrl(url);
  if (protocol === "file:") return new FileHost({ name, folder: fileURLToPath(url) });
  const kind = protocol.slice(0, -1);
  const message = `host ${name}: expected a file URL, got ${url}; pushing by ${kind} comes with a later release`;
  throw new MirrorError("UNSUPPORTED", message);
}
